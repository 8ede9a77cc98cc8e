package customers

import "sync/atomic"

// Stats are counts since the store was opened, and sizes.
type Stats struct {
	Customers  int64 // stored
	Appends    int64 // requests that were acknowledged
	Events     int64 // appended
	Duplicates int64 // events that were not stored again
	Scores     int64
	Hits       int64 // requests that found the journey followed in memory
	Misses     int64
	Replayed   int64 // events read again to follow a journey
	Snapshots  int64 // written
	Cached     int64 // customers in memory
	CacheBytes int64 // that they take
	DiskBytes  int64
	Full       bool // appends are refused with ErrFull
}

type counts struct {
	customers, appends, events, duplicates, scores, hits, misses, replayed, snapshots atomic.Int64
}

// Stats counts. It is cheap enough to be asked every second.
func (s *Store) Stats() Stats {
	done, err := s.begin()
	if err != nil {
		return Stats{}
	}
	defer done()
	c := &s.counts
	stats := Stats{
		Customers: c.customers.Load(), Appends: c.appends.Load(), Events: c.events.Load(), Duplicates: c.duplicates.Load(), Scores: c.scores.Load(),
		Hits: c.hits.Load(), Misses: c.misses.Load(), Replayed: c.replayed.Load(), Snapshots: c.snapshots.Load(),
		DiskBytes: int64(s.db.Metrics().DiskSpaceUsage()), Full: s.disk.full.Load(),
	}
	stats.Cached, stats.CacheBytes = s.cache.totals()
	return stats
}
