-- The Redis authority: every change of a lease is one run of this script.
--
-- KEYS[1]  the state of the number space, one hash:
--            space  its definition
--            run, promoted  run_id and master_replid2 of the server that wrote last
--            gen    counts the incarnations; a record of another one is void
--            mark   before it nothing is granted in a space without a second authority
--            <w>    worker w's record: token from until number nonce gen
-- KEYS[2]  the worker's lock (redislock); for 'free' the sorted set of those who wait
-- KEYS[3]  what the holders last told of themselves, a hash; not for 'free'
-- ARGV     op, space, window, quarantine (0: none), wall clock of the caller, skew limit,
--          then by op:
--            free   instance, seconds that it counts as waiting
--            grant  worker, token, number, nonce, floor, report
--            trim   worker, token, until
--
-- Times are Unix milliseconds. Lua's tostring keeps 14 digits: numbers leave by ms().

local op, space = ARGV[1], ARGV[2]
local window, quarantine = tonumber(ARGV[3]), tonumber(ARGV[4])
local wall, skew = tonumber(ARGV[5]), tonumber(ARGV[6])
local state = KEYS[1]

local function ms(n) return string.format('%.0f', n) end

-- A lock decides nothing: it may always go, also while the clock is wrong.
if op == 'trim' and redis.call('GETRANGE', KEYS[2], 0, #ARGV[8] - 1) == ARGV[8] then
  redis.call('DEL', KEYS[2])
end

-- One clock, read once; no caller's clock decides anything but a refusal.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if math.abs(now - wall) > skew then
  return {'SKEW', ms(now)}
end

local head = redis.call('HMGET', state, 'space', 'run', 'gen', 'mark', 'promoted')
if head[1] and head[1] ~= space then
  return {'SPACE', head[1]}
end

-- A server that is not the one that wrote last, or has no state, may have lost
-- grants: every record is void, and nothing is granted until what was lost is past.
-- run_id alone would miss a fail-over there and back in which the server between
-- wrote nothing: every promotion leaves a new master_replid2.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local promoted = string.match(redis.call('INFO', 'replication'), 'master_replid2:(%x+)')
local gen, mark = tonumber(head[3] or 0), tonumber(head[4] or 0)
if head[2] ~= run or (string.find(promoted, '[^0]') and head[5] ~= promoted) then
  gen, mark = gen + 1, math.max(mark, now + window + quarantine)
  redis.call('HSET', state, 'space', space, 'run', run, 'promoted', promoted, 'gen', gen, 'mark', ms(mark))
end
local waiting = quarantine > 0 and now < mark

local function parse(text)
  if not text then return nil end
  local token, from, till, number, nonce, g = string.match(text, '^(%x*) (%d+) (%d+) (%-?%d+) (%d+) (%d+)$')
  return {token = token, from = tonumber(from), till = tonumber(till), number = tonumber(number), nonce = tonumber(nonce), gen = tonumber(g)}
end

local function format(r)
  return table.concat({r.token, ms(r.from), ms(r.till), ms(r.number), ms(r.nonce), ms(r.gen)}, ' ')
end

if op == 'free' then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ms(now))
  redis.call('ZADD', KEYS[2], ms(now + tonumber(ARGV[8])), ARGV[7])
  if waiting then return {'WAIT', ms(mark - now)} end
  local reply = {'OK', ms(now)}
  local all = redis.call('HGETALL', state)
  for i = 1, #all, 2 do
    local till = string.match(all[i + 1], '^%x* %d+ (%d+) ')
    if till and tonumber(till) > now then
      reply[#reply + 1], reply[#reply + 2] = all[i], till
    end
  end
  return reply
end

local worker, token = ARGV[7], ARGV[8]
local record = parse(redis.call('HGET', state, worker))
local mine = record and record.token == token and record.gen == gen

if op == 'trim' then
  if not mine then return {'LOST'} end
  record.till = math.max(record.from, math.min(record.till, tonumber(ARGV[9])))
  record.token = ''
  redis.call('HSET', state, worker, format(record))
  redis.call('HDEL', KEYS[3], worker)
  return {'OK'}
end

if redis.call('GETRANGE', KEYS[2], 0, #token - 1) ~= token then return {'LOST'} end -- metadata follow the token
if waiting then return {'WAIT', ms(mark - now)} end
local number, nonce = tonumber(ARGV[9]), tonumber(ARGV[10])
if mine then
  if record.number >= 0 and number > record.number + 1 then
    return {'LOST'} -- this memory went back behind what was answered
  elseif number < record.number then
    return {'CLONE'} -- a copy that fell behind, or a request that nobody waits for any more
  elseif number == record.number + 1 and record.number > 0 then
    record.till, record.number, record.nonce = math.max(record.till, now + window), number, nonce
  elseif number ~= record.number or nonce ~= record.nonce then
    record.number = -1 -- two live copies of one process: neither is extended again
  end
elseif number ~= 1 then
  return {'LOST'}
elseif record and record.till > now then
  return {'BUSY'}
else
  local from = math.max(now, record and record.till or 0, tonumber(ARGV[11]))
  record = {token = token, from = from, till = now + window, number = 1, nonce = nonce, gen = gen}
end
redis.call('HSET', KEYS[3], worker, ARGV[12])
redis.call('HSET', state, worker, format(record)) -- a repetition too: WAIT needs a write to wait for
if record.number < 0 then return {'CLONE'} end
redis.call('PEXPIRE', KEYS[2], math.max(1, record.till - now))
return {'OK', ms(record.from), ms(record.till), ms(now)}
