// Package service is placement around its pure heart: Raft, files, requests between nodes, and the driver.
//
// Every node runs one Service. It finds or founds the cluster, keeps the newest map on disk, and follows placement's
// voters for newer ones; the data path needs only that map, so it goes on while placement has no quorum. On the
// voters it also holds placement's log (Raft group 0), and on their leader the driver takes the next step of the plan.
package service
