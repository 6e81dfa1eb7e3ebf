package node

// Overwrite changes a record of a node's stable store, to show the next run another past.
var Overwrite = overwrite
