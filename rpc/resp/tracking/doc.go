// Package tracking remembers which clients may hold which keys in a cache of their own, so that they can be told
// when a key changes (https://redis.io/docs/latest/develop/reference/client-side-caching/).
//
// Groups report changes from their applying goroutines, so a change of a key nobody tracks costs two atomic loads, and
// nothing here waits for a client. Forgetting too much is always allowed: a client that is told to drop a key it
// could have kept only reads it again.
package tracking
