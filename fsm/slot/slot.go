package slot

import "bytes"

// Count is the number of slots in a cluster; slots are numbered 0 to Count-1.
const Count = 16384

// GroupID names a shard group for the life of a cluster. 0 is the placement service's own Raft group
// wherever groups share a log or a connection, and "no group" in a slot map.
type GroupID uint32

// Of returns the slot of key. If key holds a non-empty hash tag (the bytes between the first '{' and the
// first '}' after it), only the tag counts.
func Of(key []byte) uint16 {
	if open := bytes.IndexByte(key, '{'); open >= 0 {
		if n := bytes.IndexByte(key[open+1:], '}'); n > 0 {
			key = key[open+1 : open+1+n]
		}
	}
	return crc16(key) % Count
}

// crc16 is CRC-16/XMODEM: polynomial 0x1021, no reflection, initial value 0. It takes four bytes in one step, whose table
// lookups don't wait for each other: a key is hashed when it is routed, and on each replica when
// it is looked ahead to and when its command is executed.
func crc16(b []byte) uint16 {
	var crc uint16
	for ; len(b) >= 4; b = b[4:] {
		crc = crcTables[3][byte(crc>>8)^b[0]] ^ crcTables[2][byte(crc)^b[1]] ^ crcTables[1][b[2]] ^ crcTables[0][b[3]]
	}
	for _, c := range b {
		crc = crc<<8 ^ crcTables[0][byte(crc>>8)^c]
	}
	return crc
}

// crcTables[n] has the CRC of each byte with n zero bytes behind it.
var crcTables = func() (t [4][256]uint16) {
	for i := range t[0] {
		c := uint16(i) << 8
		for n := range t {
			for range 8 {
				if c&0x8000 != 0 {
					c = c<<1 ^ 0x1021
				} else {
					c <<= 1
				}
			}
			t[n][i] = c
		}
	}
	return t
}()
