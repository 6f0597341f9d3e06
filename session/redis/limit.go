package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
)

// KEYS index, mark. ARGV session ID, info, issued, expiry, most members, 1 to refuse, grace in milliseconds, how many are gone, their IDs, the
// IDs of those that leave. Answers the members that are too many, or a number.
// Order is that of arrival, by this server's clock and never backwards: the callers' clocks differ. A repeat keeps its place, so that of
// two sign-ins neither ends the other.
const addWithinLua = `
local mark = redis.call('GET', KEYS[2])
if mark then
  mark = tonumber(mark)
  if not mark then return 4 end
  if mark >= tonumber(ARGV[3]) then return 2 end
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local settled = now - tonumber(ARGV[7]) * 1000
local gone, leaving = {}, {}
for i = 9, #ARGV do
  if i < 9 + tonumber(ARGV[8]) then gone[ARGV[i]] = true else leaving[ARGV[i]] = true end
end
local all = redis.call('HGETALL', KEYS[1])
local members, mine, newest = {}, nil, 0
for i = 1, #all, 2 do
  local ends, added = string.match(all[i + 1], '^(%d+)%-?(%d*):')
  added = tonumber(added) or 0
  newest = math.max(newest, added)
  if ends and tonumber(ends) * 1000 < now or gone[all[i]] and added <= settled then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] == ARGV[1] then
    mine = added
  elseif not leaving[all[i]] then
    members[#members + 1] = {all[i], all[i + 1], added}
  end
end
local max = tonumber(ARGV[5])
if ARGV[6] == '1' and #members >= max then return 5 end
mine = mine or math.max(now, newest + 1)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4] .. '-' .. string.format('%.0f', mine) .. ':' .. ARGV[2])
members[#members + 1] = {ARGV[1], nil, mine}
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIREAT', KEYS[1], ARGV[4])
else
  redis.call('PEXPIREAT', KEYS[1], ARGV[4], 'GT')
end
table.sort(members, function(a, b) return a[3] < b[3] or a[3] == b[3] and a[1] < b[1] end)
local over = {}
for i = 1, #members - max do
  if members[i][1] ~= ARGV[1] then
    over[#over + 1] = members[i][1]
    over[#over + 1] = members[i][2]
  end
end
return over`

// AddWithin adds a member under a limit.
func (s *Store) AddWithin(ctx context.Context, key session.IndexKey, m session.Member, issued, expires time.Time, limit session.Limit) ([]session.Member, error) {
	const what = "add to index within limit"
	refuse := 0
	if limit.Refuse {
		refuse = 1
	}
	args := []any{string(m.ID), m.Info, issued.UnixMilli(), at(expires), limit.Max, refuse, limit.Grace.Milliseconds(), len(limit.Gone)}
	for _, id := range limit.Gone {
		args = append(args, string(id))
	}
	for _, id := range limit.Leaving {
		args = append(args, string(id))
	}
	answer, late := s.runSafely(ctx, what, s.scripts.addWithin, []string{s.indexKey(key), s.markKey(key)}, args...)
	if answer == nil {
		return nil, late
	}
	if _, listed := answer.([]any); !listed {
		return nil, verdict(what, answer)
	}
	members, err := pairs(what, answer)
	return members, errors.Join(err, late)
}

// together is how many times to live are asked for at once.
const together = 1000

// TTLs returns how long each record lives, zero where none is, in one round trip for every thousand.
func (s *Store) TTLs(ctx context.Context, ids []session.ID) ([]time.Duration, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	left := make([]time.Duration, 0, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), together)
		cmds := make([]*goredis.IntCmd, n)
		_, err := s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for i, id := range ids[:n] {
				cmds[i] = goredis.NewIntCmd(ctx, "pttl", s.recordKey(id)) // see TTL
				_ = p.Process(ctx, cmds[i])                               // only queued
			}
			return nil
		})
		if err != nil {
			return nil, s.outage("ask records' times to live", err)
		}
		for _, cmd := range cmds {
			// A key that never expires is none of ours, and no session.
			left = append(left, max(0, time.Duration(cmd.Val())*time.Millisecond))
		}
		ids = ids[n:]
	}
	return left, nil
}
