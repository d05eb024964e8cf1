-- What all scripts begin with: the request's header, store time, and the counters of scopes as flat tables of numbers.
--
-- KEYS  1 state    hash: m meta, s<scope key> counters, h<id> hold, r<id> refund, d<user key> directory entry, t<names> totals,
--                  T the names of totals, g the place where the search for lapsed scopes goes on, V the latest version in the registry
--       2 due      list of (due, id) in order: holds as they were opened; one that has ended is skipped when its time comes
--       3 moved    sorted set of ids by due: holds whose due does not continue that list
--       4 short    list of (ended, id) of generated ids, kept 60 s        5 long    the same of others, kept 24 h
--       6 outbox   stream of ledger entries and alerts, field e; field d where there are details of a cost, in JSON that no script reads
--       7 notes    stream of entries without money, field e
--       8 and 9    those of one kind of shared facts, where a script has to do with them: see write-record.lua
-- ARGV  1 the request: c8 epoch | I7 test time + 1, or 0 | I7 deadline, or 0 | I4 capacity of the outbox, or 0 | the script's own
-- Times are ms since the epoch, amounts integers of the window's unit; both are at most 2^53 - 1 and pass through struct alone.
-- Returns one string, or a list of it and effects. The string: c1 code | I7 store time | I7 twice the number of writes so far, and 1 where
-- this call was one of them | the script's own.
--       X another data set (lost, or a new one)   L past the deadline   D more holds are due than one call ends: repeat
local STATE, DUE, MOVED, SHORT, LONG, OUTBOX = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, pack, punpack = redis.call, struct.pack, struct.unpack
local sub, byte, char, concat, insert = string.sub, string.byte, string.char, table.concat, table.insert
local floor, ceil = math.floor, math.ceil
local MOST = 9007199254740991
local SHORT_KEPT_MS, LONG_KEPT_MS = 60000, 86400000
local META = '<c8I7I7I7I7I7BI7s'
local RING = '<I7I7I7I7I7I7I7I7I7I7I7I7I7I7I7I7I7I7I7I7I7'

local A = ARGV[1]
local epoch, now, deadline, capacity, at = punpack('<c8I7I7I4', A)
now = now - 1
if now < 0 then
  local time = call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end

-- flags: 1 the outbox is drained to a sink, 2 it had been cut before, 4 scopes have been forgotten
local seq, next_due, next_forget, appended, flags, last_due, last_id
local writes, effects, added = {}, {}, {}

-- Takes the meta field; a code where the request cannot go on.
local function begin(meta)
  if not meta then return 'X' end
  local stored, before
  stored, before, seq, next_due, next_forget, appended, flags, last_due, last_id = punpack(META, meta)
  if stored ~= epoch then return 'X' end
  -- Store time never goes back, whatever the server's clock does after a failover.
  if before > now then now = before end
  if deadline > 0 and now > deadline then return 'L' end
end

local function write(field, value)
  local n = #writes
  writes[n + 1] = field
  writes[n + 2] = value
end

-- The first thing that is written: a key of another type fails it before anything has changed.
local function add_to_outbox(entry, details)
  local item, id = {'e', entry}
  if details and details ~= '' then item[3], item[4] = 'd', details end
  if capacity > 0 and flags % 2 == 0 then
    id = call('XADD', OUTBOX, 'MAXLEN', '~', capacity, '*', unpack(item))
  else
    id = call('XADD', OUTBOX, '*', unpack(item))
  end
  added[#added + 1] = id
  appended = appended + 1
end

-- Takes back what was appended by a call that cannot go on.
local function undo_outbox()
  for _, id in ipairs(added) do call('XDEL', OUTBOX, id) end
  if call('XLEN', OUTBOX) == 0 then call('DEL', OUTBOX) end
end

local has_written = 0

local function reply(code, rest)
  local main = pack('<c1I7I7', code, now, 2 * (seq or 0) + has_written) .. (rest or '')
  if #effects == 0 then return main end
  insert(effects, 1, main)
  return effects
end

-- Writes everything at once. A slot that is moving has failed the script before: every key was read.
local function save()
  seq = seq + 1
  has_written = 1
  write('m', pack(META, epoch, now, seq, next_due, next_forget, appended, flags, last_due, last_id))
  call('HSET', STATE, unpack(writes))
end

local function finish(code, rest)
  save()
  return reply(code, rest)
end

-- A scope: 1 microcents and 2 entries ever charged, 3 open holds, 4 tier; `version`; then windows of 10 numbers each:
-- code (under 16: a calendar's; its last two bits: 0 usd, 1 tokens, 2 requests), length, startsAt, endsAt, spent, held,
-- highest percentage announced x 100, highest limit seen + 1, what must be spent for the next announcement under that limit and the
-- percentages with this mark, and that mark.
-- A rolling one: code, length, last announcement, newest bucket + 1, its 21 buckets, held, and the last four.
-- Stored: B calendar windows | I4 open holds | for each of them I7 held | I7 spent | I7 the first end of them | I7 version of the user's
-- directory entry | their codes | s tier | for each I7 startsAt | I7 endsAt | I7 microcents | I7 entries | for each I7 limit + 1
-- | I4 mark | I7 next | I2 percentage | then rolling ones, each in the order above. What changes most stands in front, and what stays behind.
local function parse_scope(value)
  local s, count, p = {}, byte(value)
  local columns = string.rep('I7', count)
  s[3] = punpack('<I4', value, 2)
  local held, spent = {punpack('<' .. columns, value, 6)}, {punpack('<' .. columns, value, 6 + 7 * count)}
  s.version = punpack('<I7', value, 13 + 14 * count)
  local codes = 20 + 14 * count
  s[4], p = punpack('<s', value, codes + count)
  local starts, ends = {punpack('<' .. columns, value, p)}, {punpack('<' .. columns, value, p + 7 * count)}
  s[1], s[2], p = punpack('<I7I7', value, p + 14 * count)
  local seen, next_at = {punpack('<' .. columns, value, p)}, {punpack('<' .. columns, value, p + 11 * count)}
  local marks = p + 7 * count
  p = p + 18 * count
  local i = 5
  for k = 1, count do
    s[i], s[i + 1], s[i + 2], s[i + 3], s[i + 4], s[i + 5] = byte(value, codes + k - 1), 0, starts[k], ends[k], spent[k], held[k]
    s[i + 6] = punpack('<I2', value, p + 2 * k - 2)
    s[i + 7], s[i + 8] = seen[k], next_at[k]
    s[i + 9] = punpack('<I4', value, marks + 4 * k - 4)
    i = i + 10
  end
  p = p + 2 * count
  while p <= #value do
    s[i], s[i + 1], s[i + 2], s[i + 3], s[i + 5], s[i + 6], s[i + 7], p = punpack('<BI7I7I7I7I2I7', value, p)
    local ring = {punpack(RING, value, p)}
    p = ring[22]
    ring[22] = nil
    s[i + 4], s[i + 8], s[i + 9] = ring, 0, 0
    i = i + 10
  end
  return s
end

-- A scope in which nothing was counted yet. It knows the version of its user's directory entry from the start.
local function new_scope(key)
  local entry = call('HGET', STATE, 'd' .. key)
  return {0, 0, 0, '', version = entry and punpack('<I7', entry) or 0}
end

local function pack_scope(s)
  local codes, held, spent, starts, ends, seen, marks, next_at, percents, rolling = {}, {}, {}, {}, {}, {}, {}, {}, {}, {}
  local n, turn = 0, MOST
  for i = 5, #s, 10 do
    if s[i] < 16 then
      n = n + 1
      codes[n], starts[n], ends[n], spent[n], held[n] = char(s[i]), s[i + 2], s[i + 3], s[i + 4], s[i + 5]
      percents[n], seen[n], next_at[n], marks[n] = pack('<I2', s[i + 6]), s[i + 7], s[i + 8], pack('<I4', s[i + 9])
      if s[i + 3] < turn then turn = s[i + 3] end
    else
      rolling[#rolling + 1] = pack('<BI7I7I7I7I2I7', s[i], s[i + 1], s[i + 2], s[i + 3], s[i + 5], s[i + 6], s[i + 7]) .. pack(RING, unpack(s[i + 4]))
    end
  end
  local columns = '<' .. string.rep('I7', n)
  local function column(numbers) return n == 0 and '' or pack(columns, unpack(numbers)) end
  return concat({
    pack('<BI4', n, s[3]), column(held), column(spent), pack('<I7I7', turn, s.version or 0), concat(codes), s[4], '\0', column(starts), column(ends),
    pack('<I7I7', s[1], s[2]), column(seen), concat(marks), column(next_at), concat(percents), concat(rolling),
  })
end

-- Where a window stands in its scope, or nil. It mostly stands where the one before leads to.
local function find(s, code, length, guess)
  if s[guess] == code and s[guess + 1] == length then return guess end
  for i = 5, #s, 10 do
    if s[i] == code and s[i + 1] == length then return i end
  end
end

local function add_window(s, code, length)
  local i = #s + 1
  s[i], s[i + 1], s[i + 2], s[i + 3], s[i + 5], s[i + 6], s[i + 7], s[i + 8], s[i + 9] = code, length, 0, 0, 0, 0, 0, 0, 0
  s[i + 4] = code < 16 and 0 or {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
  return i
end

local function bucket_of(length, instant)
  return floor(instant / ceil(length / 20))
end

-- The oldest bucket that counts, and the newest that anything was ever put in.
local function live_buckets(s, i, instant)
  local newest = s[i + 3] - 1
  local oldest = bucket_of(s[i + 1], instant) - 20
  if newest - 20 > oldest then oldest = newest - 20 end
  return oldest < 0 and 0 or oldest, newest
end

local function rolling_spent(s, i, instant)
  local spent, ring = 0, s[i + 4]
  local oldest, newest = live_buckets(s, i, instant)
  for bucket = oldest, newest do
    spent = spent + ring[bucket % 21 + 1]
    if spent > MOST then spent = MOST end
  end
  return spent
end

local function within(amount)
  return amount < 0 and 0 or amount > MOST and MOST or amount
end

local function add_to_bucket(s, i, instant, amount)
  local bucket, newest, ring = bucket_of(s[i + 1], instant), s[i + 3] - 1, s[i + 4]
  if bucket > newest then
    local first = newest + 1
    if bucket - 20 > first then first = bucket - 20 end
    for index = first, bucket do ring[index % 21 + 1] = 0 end
    s[i + 3] = bucket + 1
  elseif bucket <= newest - 21 then
    return
  end
  local cell = bucket % 21 + 1
  ring[cell] = within(ring[cell] + amount)
end

-- INVARIANT (ALERT-ONCE): each threshold once for each instance of a window; only a limit above the highest that it has seen
-- arms them again, and for a rolling window its length without an alert. `count` percentages x 100 stand in `text` from `p` on.
local function raise_alerts(key, s, i, limit, mark, count, text, p, spent, instant)
  local rolling = s[i] >= 16
  if limit < 0 or (not rolling and instant >= s[i + 3]) then return end
  if limit + 1 > s[i + 7] then
    s[i + 7] = limit + 1
    s[i + 6] = 0
  end
  if rolling and s[i + 6] > 0 and instant >= s[i + 2] + s[i + 1] then s[i + 6] = 0 end
  local q, r = floor(limit / 10000), limit % 10000
  local next_at = MOST
  for index = 0, count - 1 do
    local percent = punpack('<I2', text, p + 2 * index)
    local amount = percent == 10000 and limit or percent * q + ceil(percent * r / 10000)
    if spent < amount then
      -- One that was announced before a refund is not announced again.
      if percent > s[i + 6] then
        next_at = amount
        break
      end
    elseif percent > s[i + 6] then
      s[i + 6] = percent
      local starts_at, ends_at = s[i + 2], s[i + 3]
      if rolling then
        s[i + 2] = instant
        starts_at, ends_at = instant, (bucket_of(s[i + 1], instant) + 21) * ceil(s[i + 1] / 20)
      end
      local alert = 'a' .. pack('<BI7I2I7I7I7I7I7', s[i], s[i + 1], percent, limit, s[i + 7] - 1, spent, starts_at, ends_at) .. key
      insert(effects, alert)
      add_to_outbox(alert)
    end
  end
  if limit + 1 == s[i + 7] then s[i + 8], s[i + 9] = next_at, mark end
end

local function spend(key, s, i, amount, instant, limit, mark, count, text, p)
  if s[i] < 16 then
    s[i + 4] = within(s[i + 4] + amount)
    if count > 0 then raise_alerts(key, s, i, limit, mark, count, text, p, s[i + 4], instant) end
  else
    add_to_bucket(s, i, instant, amount)
    if count > 0 then raise_alerts(key, s, i, limit, mark, count, text, p, rolling_spent(s, i, instant), instant) end
  end
end
