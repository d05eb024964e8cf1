-- Opens one hold in all windows of all scopes, or changes nothing of them.
--
-- ARGV 1, after the header: I7 ttl | B flags (1 given, 2 charged when it expires, 4 degrade, 8 degrade blocks, 16 plain: calendar
--   windows of money and tokens alone, the user's own scope first) | I7 version of the directory entry, 0 for none | c8 fingerprint
--   | I2 id | I4 and so much of what a hold keeps from its facts to its placements | I7 microcents and I7 tokens of rung 0
--   | B scopes | where the request is plain, for each scope I2 key, B codes of its windows, and for each window I7: the least use at which
--   rung 0 would hit a threshold | B rungs, each I7 microcents, I7 tokens, B refused, s model | the windows, as in windows.lua
-- Returns  A admitted: B rung | B degrade | I7 due | readings      P admitted before: I2 id | the hold, as in endings.lua
--          R refused: readings | freeing    O the directory says otherwise: its entry    I id reused    E ended: B state    S

-- First the common case by hand, without a function of its own: every scope is known with these very windows, all of them run, and
-- the model asked for fits. Whatever else it may be is left, before anything was written, to the whole story below.
do
  local call, pack, punpack, sub, byte = redis.call, struct.pack, struct.unpack, string.sub, string.byte
  local STATE, A = KEYS[1], ARGV[1]
  local epoch, now, deadline, _, ttl, bits, version, fingerprint, id, kept, microcents, tokens, scopes, at = punpack('<c8I7I7I4I7BI7c8I2c0I4c0I7I7B', A)
  if bits >= 16 and bits % 8 < 4 then
    now = now - 1
    if now < 0 then
      local time = call('TIME')
      now = time[1] * 1000 + math.floor(time[2] / 1000)
    end
    local fields, codes, places = {'m', 'h' .. id, 'r' .. id}, {}, {}
    for index = 1, scopes do
      local key
      key, codes[index], at = punpack('<I2c0Bc0', A, at)
      fields[3 + index], places[index] = 's' .. key, at
      at = at + 7 * #codes[index]
    end
    local found = call('HMGET', STATE, unpack(fields))
    local meta = found[1]
    if meta and not found[2] and not found[3] then
      local stored, before, seq, next_due, next_forget, appended, flags, last_due, last_id = punpack('<c8I7I7I7I7I7BI7s', meta)
      if before > now then now = before end
      local fits = stored == epoch and next_due > now and (deadline == 0 or now <= deadline)
      local tier = punpack('<s', kept, 5)
      local written, readings = {}, ''
      for index = 1, fits and scopes or 0 do
        local value, place, count = found[3 + index], places[index], #codes[index]
        if not value or byte(value) ~= count then
          fits = false
          break
        end
        local columns = string.rep('I7', 2 * count)
        local s = {punpack('<BI4' .. columns .. 'I7I7c' .. count .. 's', value)}
        -- The user's own scope, which is the first, knows the version of the user's directory entry, and their tier.
        if now >= s[3 + 2 * count] or s[5 + 2 * count] ~= codes[index] or (index == 1 and (s[4 + 2 * count] ~= version or s[6 + 2 * count] ~= tier)) then
          fits = false
          break
        end
        for n = 1, count do
          -- INVARIANT (NO-OVERSPEND, ALL-OR-NOTHING): every window is tested before anything is written.
          if s[2 + n] + s[2 + count + n] >= punpack('<I7', A, place + 7 * n - 7) then fits = false end
          s[2 + n] = s[2 + n] + (byte(codes[index], n) % 4 == 0 and microcents or tokens)
        end
        if not fits then break end
        local starts = s[7 + 2 * count]
        readings = readings .. sub(value, 6, 5 + 14 * count) .. sub(value, starts, starts + 14 * count - 1)
        written[2 * index - 1] = fields[3 + index]
        written[2 * index] = pack('<BI4' .. string.rep('I7', count), count, s[2] + 1, unpack(s, 3, 2 + count)) .. sub(value, 6 + 7 * count)
      end
      if fits then
        local due = now + ttl
        if due > last_due or (due == last_due and id > last_id) then
          call('RPUSH', KEYS[2], pack('<I7', due) .. id)
          last_due, last_id = due, id
        else
          call('ZADD', KEYS[3], due, id)
        end
        if due < next_due then next_due = due end
        local hold = pack('<BBI7I7BBI7I7c8', 0, bits % 4, due, now, 0, 0, microcents, tokens, fingerprint) .. kept .. readings
        meta = pack('<c8I7I7I7I7I7BI7s', epoch, now, seq + 1, next_due, next_forget, appended, flags, last_due, last_id)
        call('HSET', STATE, 'm', meta, fields[2], hold, unpack(written))
        return pack('<c1I7I7BBI7', 'A', now, 2 * seq + 3, 0, 0, due) .. readings
      end
    end
  end
end

--include common
--include windows
local ttl, bits, version, fingerprint, id, kept, plain_scopes, rungs, _
ttl, bits, version, fingerprint, id, kept, _, _, plain_scopes, at = punpack('<I7BI7c8I2c0I4c0I7I7B', A, at)
if bits >= 16 then
  for _ = 1, plain_scopes do
    local _, codes, p = punpack('<I2c0Bc0', A, at)
    at = p + 7 * #codes
  end
end
local tier, provider, user
_, tier, provider, user = punpack('<I4sss', kept)
rungs, at = punpack('<B', A, at)
local microcents, tokens, refused, models = {}, {}, {}, {}
for rung = 1, rungs do microcents[rung], tokens[rung], refused[rung], models[rung], at = punpack('<I7I7Bs', A, at) end
parse_windows()

local fields = {'m', 'h' .. id, 'r' .. id, 'd' .. user}
for index = 1, #keys do fields[4 + index] = 's' .. keys[index] end
local found = call('HMGET', STATE, unpack(fields))
local stopped = begin(found[1])
if stopped then return reply(stopped) end

if next_due <= now then
  --include endings
  if not end_due() then return finish('D') end
  found = call('HMGET', STATE, unpack(fields))
end

if found[2] then
  local known = found[2]
  local state, known_bits, due, p = punpack('<BBI7', known)
  local ended
  if floor(known_bits / 16) % 2 == 1 then _, p = punpack('<s', known, p) end
  if floor(known_bits / 32) % 2 == 1 then _, p = punpack('<s', known, p) end
  if state ~= 0 then ended, p = punpack('<I7', known, p) end
  local kept = (known_bits % 2 == 1 or state == 3 or known_bits % 8 >= 4) and LONG_KEPT_MS or SHORT_KEPT_MS
  if state == 0 or now < ended + kept then
    if known_bits % 16 >= 8 then return finish('E', pack('<B', 2)) end
    -- The fingerprint stands behind I7 opened, B, B, I7, I7 of what never changes.
    local static = state == 0 and p or p + 37
    if sub(known, static + 23, static + 30) ~= fingerprint then return finish('I') end
    return finish('P', pack('<I2', #id) .. id .. known)
  end
end
if found[3] and now < punpack('<I7', found[3]) + LONG_KEPT_MS then return finish('I') end
if (found[4] and punpack('<I7', found[4]) or 0) ~= version then return finish('O', found[4] or '') end

local scopes, is_new = {}, false
for index = 1, #keys do
  local value = found[4 + index]
  if value then scopes[index] = parse_scope(value) end
  if value and keys[index] == user then scopes[index].version = version end
end
if not read_windows(scopes) then return finish('S') end

-- INVARIANT (NO-OVERSPEND, ALL-OR-NOTHING, NO-FALSE-BLOCK): the whole request is tested before anything is written.
local degrades = floor(bits / 4) % 2 == 1
local function blocks(rung)
  local blocked = refused[rung] == 1
  for n = 0, count - STRIDE, STRIDE do
    local unit = terms[n + 1] % 4
    local amount = unit == 0 and microcents[rung] or unit == 1 and tokens[rung] or 1
    local used = terms[n + 16] + terms[n + 17]
    if amount > terms[n + 4] - used or used >= terms[n + 5] then blocked = true end
    if rung == 1 and terms[n + 6] >= 0 and (amount > terms[n + 6] - used or used >= terms[n + 7]) then degrades = true end
  end
  return blocked
end
local blocked = blocks(1)
if degrades and floor(bits / 8) % 2 == 1 then blocked = true end
local chosen = 1
if blocked or degrades then
  chosen = blocked and 0 or 1
  for rung = 2, rungs do
    if not blocks(rung) then
      chosen = rung
      break
    end
  end
end
if chosen == 0 then return finish('R', pack_readings() .. pack_freeing(scopes)) end

for index = 1, #keys do
  if not scopes[index] then
    scopes[index] = new_scope(keys[index])
    is_new = true
  end
end
-- The first thing that is written, but for alerts: a key of another type fails it before anything has changed.
local due = now + ttl
if due > last_due or (due == last_due and id > last_id) then
  call('RPUSH', DUE, pack('<I7', due) .. id)
  last_due, last_id = due, id
else
  call('ZADD', MOVED, due, id)
end
if due < next_due then next_due = due end
place(scopes, tier, microcents[chosen], tokens[chosen])
local readings = pack_readings()
local degrade = degrades and 1 or 0
local is_other = models[chosen] ~= models[1]
local head = pack('<BBI7', 0, bits % 4 + (is_other and 16 or 0), due) .. (is_other and models[chosen] .. '\0' or '')
local fixed = pack('<I7BBI7I7c8', now, chosen - 1, degrade, microcents[chosen], tokens[chosen], fingerprint)
write('h' .. id, head .. fixed .. kept .. readings)
for index = 1, #keys do write('s' .. keys[index], pack_scope(scopes[index])) end
if is_new then
  --include lapsed
end
return finish('A', pack('<BBI7', chosen - 1, degrade, due) .. readings)
