package redis

import goredis "github.com/redis/go-redis/v9"

// What a script answers. The numbers stand in the Lua below.
const (
	done     = 0
	conflict = 1
	ended    = 2
	none     = 3
	corrupt  = 4
	tooMany  = 5
)

// scripts are the writes that need more than one command. A script sees one moment: no key expires while it runs.
type scripts struct {
	create, update, prolong, end, addIndex, addWithin, markIndex, lock, unlock, putEntry, dropEntry *goredis.Script
}

// newScripts prepares the scripts; the server learns each at its first use.
func newScripts() scripts {
	return scripts{
		create:    goredis.NewScript(createLua),
		update:    goredis.NewScript(whenFull + updateLua),
		prolong:   goredis.NewScript(whenFull + prolongLua),
		end:       goredis.NewScript(whenFull + endLua),
		addIndex:  goredis.NewScript(addIndexLua),
		addWithin: goredis.NewScript(addWithinLua),
		markIndex: goredis.NewScript(whenFull + markIndexLua),
		lock:      goredis.NewScript(whenFull + lockLua),
		unlock:    goredis.NewScript(whenFull + unlockLua),
		putEntry:  goredis.NewScript(putEntryLua),
		dropEntry: goredis.NewScript(whenFull + dropEntryLua),
	}
}

// whenFull lets a script run when Redis' memory is full. A full Redis takes no sign-in; who is signed in is refreshed and signed out: that needs
// next to no memory, or frees some.
const whenFull = "#!lua flags=allow-oom"

// KEYS record, ended. ARGV value, expiry, channel, announcement.
// The mark comes first: a repeat after an end must not say that the session is there.
const createLua = `
if redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
local old = redis.call('GET', KEYS[1])
if old then
  if #old < 24 then return 4 end
  if string.sub(old, 9, 24) == string.sub(ARGV[1], 9, 24) then return 0 end
  return 1
end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 0`

// KEYS record. ARGV value, the version that it replaces as 8 bytes, channel, announcement.
// Versions are compared as bytes: Lua's numbers have 53 bits.
const updateLua = `
local old = redis.call('GET', KEYS[1])
if not old then return 3 end
if #old < 24 then return 4 end
if string.sub(old, 1, 24) == string.sub(ARGV[1], 1, 24) then return 0 end
if string.sub(old, 1, 8) ~= ARGV[2] then return 1 end
redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 0`

// KEYS record. ARGV expiry, channel, announcement. Answers 1 if it moved something.
const prolongLua = `
if redis.call('PEXPIREAT', KEYS[1], ARGV[1], 'GT') == 0 then return 0 end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`

// KEYS record, ended. ARGV write ID of this end, milliseconds, channel, announcement, the same with the reason to come, reason. Answers whether a
// record was there. It overwrites whatever is in its way: damage must not keep a session alive. A mark that stands keeps its write ID and its reason; one
// that a version without reasons left has none.
//
// The reason is announced first, in words that a version without reasons passes over; that one hears the end by the second message.
const endLua = `
local existed = redis.call('DEL', KEYS[1])
local mark = redis.pcall('GET', KEYS[2])
local write, was, reason = ARGV[1], existed, ARGV[6]
if existed == 0 and type(mark) == 'string' and #mark >= 17 then
  write, was, reason = string.sub(mark, 1, 16), string.sub(mark, 17, 17), string.sub(mark, 18)
  if write == ARGV[1] then existed = tonumber(was) or 0 end
end
local left = redis.call('PTTL', KEYS[2])
redis.call('SET', KEYS[2], write .. was .. reason, 'PX', math.max(tonumber(ARGV[2]), left))
redis.call('PUBLISH', ARGV[3], ARGV[5] .. reason)
redis.call('PUBLISH', ARGV[3], ARGV[4])
return existed`

// KEYS index, mark. ARGV session ID, info, issued, expiry.
// An index expires with its last member, so that of somebody who signs in again and again never does: each member's value starts with its own
// expiry, in milliseconds, and when it was added, in microseconds. Each addition looks at a few others and drops those that are over. So at most about an eighth is dead.
const addIndexLua = `
local mark = redis.call('GET', KEYS[2])
if mark then
  mark = tonumber(mark)
  if not mark then return 4 end
  if mark >= tonumber(ARGV[3]) then return 2 end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local some = redis.call('HRANDFIELD', KEYS[1], 8, 'WITHVALUES')
for i = 1, #some, 2 do
  local ends = tonumber(string.match(some[i + 1], '^%d+'))
  if ends and ends < now then redis.call('HDEL', KEYS[1], some[i]) end
end
local added = string.format('%.0f', time[1] * 1000000 + time[2])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4] .. '-' .. added .. ':' .. ARGV[2])
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIREAT', KEYS[1], ARGV[4])
else
  redis.call('PEXPIREAT', KEYS[1], ARGV[4], 'GT')
end
return 0`

// KEYS index, mark. ARGV issued, milliseconds. Answers the members.
const markIndexLua = `
local issued = ARGV[1]
local old = redis.call('GET', KEYS[2])
if old and tonumber(old) and tonumber(old) > tonumber(issued) then issued = old end
local left = redis.call('PTTL', KEYS[2])
redis.call('SET', KEYS[2], issued, 'PX', math.max(tonumber(ARGV[2]), left))
return redis.call('HGETALL', KEYS[1])`

// KEYS lock. ARGV owner, milliseconds. Answers 1 if owner has it.
const lockLua = `
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

// KEYS lock. ARGV owner.
const unlockLua = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0`
