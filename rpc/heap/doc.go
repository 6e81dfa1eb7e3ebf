// Package heap keeps a server's memory close to what its data takes.
//
// Go collects garbage when as much has gathered as GOGC says, by default as much as is alive. Of a cache nearly everything is
// alive, and it holds few pointers (fsm/table), so that a collection takes some ten milliseconds of CPU time at any size: it can be
// had much more often. Keep lets an eighth of the heap gather, and 64 MiB in a small one. When a server has become quiet, or has long
// allocated little, it also returns memory to the system (returns.go), which Go by itself does only down to 110 % of the size at
// which it would collect. HugePages makes huge pages of memory by which the heap has grown, so that nobody waits for each 4 KiB (pages.go),
// and again of what a return has left in small ones, once there is work (mends.go). For that a server may take back as much memory as
// garbage may gather, until Go needs it; none if GOMEMLIMIT is set. After MEMORY PURGE under load it takes memory back in the same way.
// Where huge pages are slow to get, they are made while the server has nothing else to do.
//
// GOGC and GOMEMLIMIT in the environment take precedence.
package heap
