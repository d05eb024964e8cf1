-- Opens one hold in all windows of all scopes, or changes nothing of them.
--
-- ARGV 1, after the header: I2 id | c16 fingerprint | I7 ttl | B flags (1 given, 2 charged when it expires, 4 degrade, 8 degrade
--   blocks) | I7 version of the directory entry, 0 for none | I4 facts: s tier, s provider, s user key, … | B rungs, each I7 microcents,
--   I7 tokens, B refused, s model | the windows
-- Returns  A admitted: B rung | B degrade | I7 due | readings      P admitted before: I2 id | the hold, as in endings.lua
--          R refused: readings | freeing    O the directory says otherwise: its entry    I id reused    E ended: B state    S
local length, id, fingerprint, ttl, bits, version, facts, rungs
length, at = punpack('<I2', A, at)
id = sub(A, at, at + length - 1)
fingerprint, ttl, bits, version, length, at = punpack('<c16I7BI7I4', A, at + length)
facts = sub(A, at, at + length - 1)
local tier, provider, user = punpack('<sss', facts)
rungs, at = punpack('<B', A, at + length)
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
  local state, known_bits, due, _, p = punpack('<BBI7s', known)
  local ended
  if state ~= 0 then ended, p = punpack('<I7', known, p) end
  local kept = (known_bits % 2 == 1 or state == 3 or known_bits % 8 >= 4) and LONG_KEPT_MS or SHORT_KEPT_MS
  if state == 0 or now < ended + kept then
    if known_bits % 16 >= 8 then return finish('E', pack('<B', 2)) end
    -- The fingerprint stands behind I7 opened, B, B, I7, I7 of what never changes.
    local static = state == 0 and p or p + 37
    if sub(known, static + 23, static + 38) ~= fingerprint then return finish('I') end
    return finish('P', pack('<I2', #id) .. id .. known)
  end
end
if found[3] and now < punpack('<I7', found[3]) + LONG_KEPT_MS then return finish('I') end
if (found[4] and punpack('<I7', found[4]) or 0) ~= version then return finish('O', found[4] or '') end

local scopes, is_new = {}, false
for index = 1, #keys do
  local value = found[4 + index]
  if value then scopes[index] = parse_scope(value) end
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
if degrades and bits >= 8 then blocked = true end
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
    scopes[index] = {0, 0, 0, ''}
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
local hold = {
  pack('<BBI7sI7BBI7I7c16I4', 0, bits % 4, due, models[chosen], now, chosen - 1, degrade, microcents[chosen], tokens[chosen], fingerprint, #facts),
  facts,
  pack('<B', rungs > 1 and rungs or 0),
}
if rungs > 1 then
  for rung = 1, rungs do hold[#hold + 1] = pack('<I7I7', microcents[rung], tokens[rung]) end
end
hold[#hold + 1] = pack_placements()
write('h' .. id, concat(hold))
for index = 1, #keys do write('s' .. keys[index], pack_scope(scopes[index])) end
if is_new then
  --include lapsed
end
return finish('A', pack('<BBI7', chosen - 1, degrade, due) .. readings)
