package table

import (
	"iter"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// Digest is a hash of the content of a table: key, value, kind, deadline and version of all records. It doesn't
// depend on layout, order, access fields or seed. It finds faults, not attacks: it is a sum of 128-bit hashes of records.
type Digest [16]byte

func digest(records iter.Seq[Record]) Digest {
	var s Sum
	for r := range records {
		s.Add(&r)
	}
	return s.Digest()
}

// Sum adds records up to a Digest. The zero value is that of no records.
type Sum struct{ hi, lo uint64 }

// Add adds a record.
func (s *Sum) Add(r *Record) {
	h := r.hash()
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, h.Lo, 0)
	s.hi, _ = bits.Add64(s.hi, h.Hi, carry)
}

// Digest is that of the records so far.
func (s *Sum) Digest() (d Digest) {
	le.PutUint64(d[:], s.lo)
	le.PutUint64(d[8:], s.hi)
	return d
}

// hash is a record's part of the digest. Key and value are hashed first, so that no two records run together.
func (r *Record) hash() xxh3.Uint128 {
	key, value := xxh3.Hash128(r.Key), xxh3.Hash128(r.Value)
	var b [49]byte
	for i, n := range []uint64{key.Hi, key.Lo, value.Hi, value.Lo, r.Version, uint64(r.Deadline)} {
		le.PutUint64(b[8*i:], n)
	}
	b[48] = r.Kind
	return xxh3.Hash128(b[:])
}
