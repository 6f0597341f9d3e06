package limit

import (
	"context"
	"encoding/base64"
	"fmt"
)

// Lua counts a request against several limits, all or none, by the clock of Redis. It is what [Script] runs.
//
// KEYS are the limits' points in time, in microseconds since 1970; each expires when it is over. ARGV are, for each: the interval, the capacity (see quota), and 1 if it is enforced.
// A point that is too far ahead is moved back: see quota.ahead. It answers which limits refuse, one bit for each, and how far each is ahead of now.
const Lua = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local refuses, enforced, answer = {}, false, {0}
local function keep(key, ahead)
  redis.call('SET', key, string.format('%.0f', now + ahead), 'PX', math.ceil(ahead / 1000))
end
for i, key in ipairs(KEYS) do
  local interval, capacity = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local point = tonumber(redis.call('GET', key) or now) or now
  local ahead = math.min(math.max(point - now, 0), capacity)
  if point - now > capacity then keep(key, ahead) end
  answer[i + 1] = ahead
  if ahead + interval > capacity then
    refuses[i] = true
    answer[1] = answer[1] + 2 ^ (i - 1)
    enforced = enforced or ARGV[3 * i] == '1'
  end
end
if enforced then return answer end
for i, key in ipairs(KEYS) do
  if not refuses[i] then
    answer[i + 1] = answer[i + 1] + tonumber(ARGV[3 * i - 2])
    keep(key, answer[i + 1])
  end
end
return answer`

// answer is what the store says of the rules that it was asked about.
type answer struct {
	which   mask
	refused mask
	ahead   [most]int64
	err     error
}

// call asks the store about rules that lie in one slot.
func (s *Set) call(ctx context.Context, which mask, sub *subjects) answer {
	a := answer{which: which}
	keys := make([]string, 0, len(s.rules))
	args := make([]any, 0, 3*len(s.rules))
	for i := range s.rules {
		if which.has(i) {
			keys = append(keys, s.rules[i].key+base64.RawURLEncoding.EncodeToString(sub.ids[i][:]))
			args = append(args, s.rules[i].args[:]...)
		}
	}
	said, err := s.limiter.deps.Run(ctx, keys, args...)
	if err == nil && len(said) != 1+len(keys) {
		err = fmt.Errorf("limits: an answer of %d numbers for %d limits", len(said), len(keys))
	}
	if err != nil {
		a.err = err
		return a
	}
	n := 0
	for i := range s.rules {
		if which.has(i) {
			if said[0]&(1<<n) != 0 {
				a.refused |= 1 << i
			}
			n++
			a.ahead[i] = said[n]
		}
	}
	return a
}
