package calls

import "github.com/redis/go-redis/v9"

// A live call is a hash: its owner, the owner's token, and the body (Call,
// JSON), so that the scripts need not read JSON. A hash without a body is a call
// that has ended, with the seal of that in the field ended: it stays for endedTTL, so that an instance that stood still during
// the end does not create the call again. A write counts if there is no entry, if
// the entry's token is lower, or if the entry is the writer's own. The scripts may
// run twice.
//
// KEYS of all three: the call, the set of the organisation's calls.
var (
	// ARGV: owner, token, body, id, now and lifetime in seconds.
	saveScript = redis.NewScript(`
local seen = redis.call('HMGET', KEYS[1], 'owner', 'token')
if seen[2] then
	local theirs, mine = tonumber(seen[2]), tonumber(ARGV[2])
	if theirs > mine or (theirs == mine and seen[1] ~= ARGV[1]) then return 0 end
end` + putCall)

	// ARGV as above, and the owner that was seen, with a token one lower.
	claimScript = redis.NewScript(`
local seen = redis.call('HMGET', KEYS[1], 'owner', 'token', 'body')
if seen[2] then
	local theirs, mine = tonumber(seen[2]), tonumber(ARGV[2])
	local unchanged = theirs == mine - 1 and seen[1] == ARGV[7] and seen[3]
	local done = theirs == mine and seen[1] == ARGV[1] and seen[3]
	if theirs >= mine - 1 and not unchanged and not done then return 0 end
end` + putCall)

	// ARGV: owner, token (0: whatever token the owner has), id, endedTTL in
	// seconds (0: leave nothing), the seal of the end (empty: none).
	endScript = redis.NewScript(`
local seen = redis.call('HMGET', KEYS[1], 'owner', 'token')
local mine = tonumber(ARGV[2])
if seen[2] then
	local theirs = tonumber(seen[2])
	if mine == 0 and seen[1] == ARGV[1] then mine = theirs end
	if theirs > mine or (theirs == mine and seen[1] ~= ARGV[1]) then return 0 end
end
redis.call('ZREM', KEYS[2], ARGV[3])
if mine == 0 or ARGV[4] == '0' then
	redis.call('DEL', KEYS[1])
else
	redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', string.format('%d', mine))
	redis.call('HDEL', KEYS[1], 'body')
	if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'ended', ARGV[5]) end
	redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return 1`)
)

// putCall writes a call.
const putCall = `
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', ARGV[2], 'body', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[6])
return 1`
