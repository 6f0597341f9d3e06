package limit

import "time"

// quota is a rate as the generic cell rate algorithm sees it, in whole microseconds. Each request that comes through moves a point in time
// ahead by interval; it may be ahead of now by at most capacity. So in any span of time t at most capacity + t come through, divided by
// interval: burst and rate. The interval is rounded up, which errs on the strict side.
type quota struct {
	interval int64 // between two requests, if they come evenly
	capacity int64 // burst times interval
}

// quotaOf is the quota of a rate. A burst of 0 is the default one.
func quotaOf(r Rate, burst int) quota {
	if burst == 0 {
		burst = r.defaultBurst()
	}
	n := int64(r.Count)
	interval := (r.Period.Microseconds() + n - 1) / n
	return quota{interval, interval * int64(burst)}
}

// part is the quota of one process where n count apart: together they let through what q does, if its burst is at least n.
func (q quota) part(n int) quota {
	interval := q.interval * int64(n)
	return quota{interval, interval * max(1, q.burst()/int64(n))}
}

func (q quota) burst() int64 { return q.capacity / q.interval }

// refill is how long it takes until a burst may come again.
func (q quota) refill() time.Duration { return time.Duration(q.capacity) * time.Microsecond }

// ahead is how far a point in time is ahead of now. A point that is further than the capacity is of another limit, since the configuration has changed, or
// of another clock. It counts as a burst used up, and has to be moved back to that: mended.
func (q quota) ahead(point, now int64) (ahead int64, mended bool) {
	ahead = min(max(point-now, 0), q.capacity)
	return ahead, point-now > q.capacity
}

// admits tells whether one more may come through.
func (q quota) admits(ahead int64) bool { return ahead+q.interval <= q.capacity }

// left is how many more may come through now.
func (q quota) left(ahead int64) int64 { return (q.capacity - ahead) / q.interval }

// wait is how long it takes until one more may come through; 0: it may now.
func (q quota) wait(ahead int64) int64 { return max(0, ahead+q.interval-q.capacity) }

// seconds rounds microseconds up.
func seconds(micros int64) int64 { return (micros + 999_999) / 1_000_000 }
