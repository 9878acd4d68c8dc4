package index

import "github.com/redis/go-redis/v9"

// Each write of a recording gets a stamp: the microsecond of Redis' clock, and later
// than every other stamp of the organisation. By it Reindex knows what was written
// since it began. A writer reads the stamp and then the body of the recording, and
// sends the members that have to leave the index; the write counts if the stamp is
// still the same. The scripts may run twice.

// changeRecording has as KEYS: recording, written, deleted, stamp, and the facets
// in their order. ARGV: id; the stamp that was read (empty: none); what Reindex
// has as the stamp of its beginning (0: not by Reindex); the body, empty if the
// recording was deleted, '-' if Reindex has not found it; how many members leave
// the index, and, in pairs, the numbers of the facets and the members: those that
// leave, then those that come. It returns 1; 0 if there is something newer; -1
// if the stamp is another.
//
// Redis knows for a day what was deleted: longer than any Reindex takes.
var changeRecording = redis.NewScript(`
local at = redis.call('ZSCORE', KEYS[2], ARGV[1])
local since = tonumber(ARGV[3])
if since > 0 then
	local gone = redis.call('ZSCORE', KEYS[3], ARGV[1])
	if at and tonumber(at) >= since or gone and tonumber(gone) >= since then return 0 end
end
if (at and tonumber(at) or 0) ~= (tonumber(ARGV[2]) or 0) then return -1 end
local last = 5 + 2 * tonumber(ARGV[5])
for i = 6, last, 2 do
	redis.call('ZREM', KEYS[5 + tonumber(ARGV[i])], ARGV[i + 1])
end
for i = last + 1, #ARGV, 2 do
	redis.call('ZADD', KEYS[5 + tonumber(ARGV[i])], 1, ARGV[i + 1])
end` + newStamp + `
if ARGV[4] == '' or ARGV[4] == '-' then
	redis.call('DEL', KEYS[1])
	redis.call('ZREM', KEYS[2], ARGV[1])
else
	redis.call('SET', KEYS[1], ARGV[4])
	redis.call('ZADD', KEYS[2], stamp, ARGV[1])
end
if ARGV[4] == '' then
	redis.call('ZADD', KEYS[3], stamp, ARGV[1])
	redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', tonumber(stamp) - 86400e6))
	redis.call('EXPIRE', KEYS[3], 86400)
else
	redis.call('ZREM', KEYS[3], ARGV[1])
end
return 1`)

// newStamp makes a stamp, with the last one in KEYS[4].
const newStamp = `
local clock = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[4]) or '0')
local stamp = string.format('%.0f', math.max(clock[1] * 1000000 + clock[2], last + 1))
redis.call('SET', KEYS[4], stamp)`
