-- How holds end. Included by every script, in a branch of those that seldom need it.
--
-- A hold: B state (0 open, 1 settled, 2 released, 3 expired) | B flags (1 given, 2 charged when it expires, 4 corrected, 8 tombstone,
-- 16 of another model than the one asked for, 32 of another provider than the request's) | I7 due | with 16: s model | with 32: s provider
-- | ended ones: I7 ended, I7 microcents, I7 tokens, I7 refunded, I7 added, I7 added at, I2 corrections
-- | what never changes: I7 opened, B rung, B degrade, I7 held microcents, I7 held tokens, c8 fingerprint, I4 facts,
--   B rungs (0 for one) with I7 microcents and I7 tokens each, I2 placements, and the readings: how the windows stood, scope by scope
--   for each window I7 held | I7 spent | I7 startsAt | I7 endsAt, as columns
-- Placements: B scopes with I2 key, B windows, their codes, for each I7 limit + 1 | I4 mark of its alerts, for each rolling one I7 length,
--   and for each B alerts with I2 percent x 100 each
-- The facts begin with s tier, s provider, s user key, B, s model; the rest is the client's.
local function parse_hold(id, value)
  local h = {id = id}
  local p, model, provider
  h.state, h.flags, h.due, p = punpack('<BBI7', value)
  if floor(h.flags / 16) % 2 == 1 then model, p = punpack('<s', value, p) end
  if floor(h.flags / 32) % 2 == 1 then provider, p = punpack('<s', value, p) end
  if h.state == 0 then
    h.ended, h.microcents, h.tokens, h.refunded, h.added, h.added_at, h.corrections = 0, 0, 0, 0, 0, 0, 0
  else
    h.ended, h.microcents, h.tokens, h.refunded, h.added, h.added_at, h.corrections, p = punpack('<I7I7I7I7I7I7I2', value, p)
  end
  h.static = sub(value, p)
  local length, asked, _
  h.opened, h.rung, h.degrade, h.held_microcents, h.held_tokens, h.fingerprint, length, p = punpack('<I7BBI7I7c8I4', h.static)
  h.tier, h.provider, h.user, _, asked = punpack('<sssBs', h.static, p)
  h.model = model or asked
  h.provider = provider or h.provider
  h.facts = sub(h.static, p, p + length - 1)
  h.after_facts = p + length
  return h
end

local function set_flag(h, bit, is_set)
  local was_set = floor(h.flags / bit) % 2 == 1
  if is_set and not was_set then h.flags = h.flags + bit end
  if was_set and not is_set then h.flags = h.flags - bit end
end

-- Another model than the one asked for has answered, or was decided.
local function set_model(h, model)
  local _, _, _, _, asked = punpack('<sssBs', h.facts)
  h.model = model
  set_flag(h, 16, model ~= asked)
end

-- The model that answered was another provider's than the request's.
local function set_provider(h, provider)
  local _, asked = punpack('<ss', h.facts)
  h.provider = provider
  set_flag(h, 32, provider ~= asked)
end

local function pack_hold(h)
  local head = pack('<BBI7', h.state, h.flags, h.due)
  if floor(h.flags / 16) % 2 == 1 then head = head .. h.model .. '\0' end
  if floor(h.flags / 32) % 2 == 1 then head = head .. h.provider .. '\0' end
  if h.state == 0 then return head .. h.static end
  return head .. pack('<I7I7I7I7I7I7I2', h.ended, h.microcents, h.tokens, h.refunded, h.added, h.added_at, h.corrections) .. h.static
end

local function flag(h, bit)
  return floor(h.flags / bit) % 2 == 1
end

local function is_remembered(h)
  if h.state == 0 then return true end
  local short = not flag(h, 1) and h.state ~= 3 and not flag(h, 4)
  return now < h.ended + (short and SHORT_KEPT_MS or LONG_KEPT_MS)
end

-- The windows that a hold was placed in: a flat list of scope key, then for each window code, length, limit, startsAt, alerts, their place,
-- their mark.
local function placements(h)
  local list, text, p = {}, h.static, h.after_facts
  local rungs, scopes, size, reading
  rungs, p = punpack('<B', text, p)
  size, p = punpack('<I2', text, p + 14 * rungs)
  reading = p + size
  scopes, p = punpack('<B', text, p)
  for _ = 1, scopes do
    local key, count, codes = punpack('<I2c0B', text, p)
    local scope, n = {key}, 1
    local limits = codes + count
    p = limits + 11 * count
    for index = 0, count - 1 do
      local code = byte(text, codes + index)
      scope[n + 1], scope[n + 2], scope[n + 3] = code, 0, punpack('<I7', text, limits + 7 * index) - 1
      if code >= 16 then scope[n + 2], p = punpack('<I7', text, p) end
      scope[n + 4] = punpack('<I7', text, reading + 7 * (2 * count + index))
      scope[n + 7] = punpack('<I4', text, limits + 7 * count + 4 * index)
      n = n + 7
    end
    n = 1
    for _ = 1, count do
      scope[n + 5], p = punpack('<B', text, p)
      scope[n + 6] = p
      p = p + 2 * scope[n + 5]
      n = n + 7
    end
    reading = reading + 28 * count
    list[#list + 1] = scope
  end
  return list
end

local loaded = {}

local function load_scopes(list)
  local fields, keys = {}, {}
  for _, scope in ipairs(list) do
    if not loaded[scope[1]] then
      keys[#keys + 1] = scope[1]
      fields[#fields + 1] = 's' .. scope[1]
    end
  end
  if #keys == 0 then return end
  local values = call('HMGET', STATE, unpack(fields))
  for index, key in ipairs(keys) do loaded[key] = values[index] and parse_scope(values[index]) or new_scope(key) end
end

local function save_scopes()
  for key, s in pairs(loaded) do write('s' .. key, pack_scope(s)) end
  loaded = {}
end

-- Replaces what is held by what was spent, where the stored window is still the one that the hold was placed in. What is added to
-- a rolling window counts from `instant` on; what is taken goes from the bucket of `counted`, or from nowhere.
local function change(h, released, released_tokens, ended, entries, microcents, tokens, counted, instant)
  local list = placements(h)
  load_scopes(list)
  for _, scope in ipairs(list) do
    local key = scope[1]
    local s = loaded[key]
    s[1] = within(s[1] + microcents)
    s[2] = s[2] + entries
    s[3] = s[3] - ended
    local guess = 5
    for n = 2, #scope, 7 do
      local code, length = scope[n], scope[n + 1]
      local unit = code % 4
      local i = find(s, code, length, guess) or add_window(s, code, length)
      guess = i + 10
      if unit ~= 2 and (code >= 16 or s[i + 2] == scope[n + 3]) then
        local amount = unit == 0 and microcents or tokens
        s[i + 5] = within(s[i + 5] - (unit == 0 and released or released_tokens))
        if amount >= 0 then
          spend(key, s, i, amount, instant, scope[n + 2], scope[n + 6], scope[n + 4], h.static, scope[n + 5])
        elseif code >= 16 then
          add_to_bucket(s, i, counted, amount)
        else
          s[i + 4] = within(s[i + 4] + amount)
        end
      end
    end
  end
end

-- Sums by names, in the same write as the rest. T lists the names; beyond its size new ones are summed as others.
local totals = {}

local function count_total(h, microcents, tokens)
  local name = h.model .. '\0' .. h.provider .. '\0' .. h.tier
  local total = totals[name]
  if not total then
    local known = call('HGET', STATE, 't' .. name)
    if not known then
      local names = totals.names or call('HGET', STATE, 'T') or ''
      if #names > 200000 then
        name = '(others)\0(others)\0(others)'
        known = call('HGET', STATE, 't' .. name)
      end
      if not known then
        totals.names = names .. pack('<I2', #name) .. name
        write('T', totals.names)
      end
    end
    total = totals[name] or {punpack('<ddd', known or pack('<ddd', 0, 0, 0))}
    totals[name] = total
  end
  total[1], total[2], total[3] = total[1] + microcents, total[2] + tokens, total[3] + 1
  write('t' .. name, pack('<ddd', total[1], total[2], total[3]))
end

-- Appends a ledger entry: e | B kind (1 settled, 2 released, 3 expired, 4 recorded, 5 corrected, 6 released and uncounted) | I7 at
-- | i8 microcents | i8 tokens | I7 and I7 the instants whose buckets these are in | I2 reason | I2 id | the hold as it is now.
local function append(kind, h, instant, microcents, tokens, microcents_at, tokens_at, reason, details)
  add_to_outbox('e' .. pack('<BI7i8i8I7I7I2', kind, instant, microcents, tokens, microcents_at, tokens_at, #reason) .. reason .. pack('<I2', #h.id) .. h.id .. pack_hold(h), details)
  if kind ~= 2 and kind ~= 6 then count_total(h, microcents, tokens) end
end

-- Remembers an ending until its id is forgotten. What cannot be remembered takes back what was appended before it failed.
local function remember(h, list, kept)
  local pushed = redis.pcall('RPUSH', list, pack('<I7', h.ended) .. h.id)
  if type(pushed) == 'table' and pushed.err then
    undo_outbox()
    error(pushed.err, 0)
  end
  if h.ended + kept < next_forget then next_forget = h.ended + kept end
end

local function remember_hold(h)
  local short = not flag(h, 1) and h.state ~= 3
  remember(h, short and SHORT or LONG, short and SHORT_KEPT_MS or LONG_KEPT_MS)
  write('h' .. h.id, pack_hold(h))
end

local function end_hold(h, state, kind, microcents, tokens, instant, details)
  change(h, h.held_microcents, h.held_tokens, 1, state == 2 and 0 or 1, microcents, tokens, instant, instant)
  h.state, h.ended, h.microcents, h.tokens = state, instant, microcents, tokens
  append(kind, h, instant, microcents, tokens, instant, instant, '', details)
  remember_hold(h)
end

-- A hold that expired is settled after all. What was refunded since is not given back a second time.
local function correct_expired(h, microcents, tokens, details)
  local more = (microcents > h.refunded and microcents or h.refunded) - h.microcents
  local more_tokens = tokens - h.tokens
  h.state, h.microcents, h.tokens = 1, microcents, tokens
  if not flag(h, 4) then h.flags = h.flags + 4 end
  if more > 0 then h.added, h.added_at = more, now end
  h.corrections = h.corrections + 1
  change(h, 0, 0, 0, 1, more, more_tokens, h.ended, now)
  append(5, h, now, more, more_tokens, more < 0 and h.ended or now, more_tokens > 0 and now or h.ended, '', details)
  write('h' .. h.id, pack_hold(h))
end

-- Forgets what leads the list of what is due without being open any more, ahead of its time: were it left there, every operation after
-- it is due would have to look.
local function skip_ended()
  while true do
    local first = call('LRANGE', DUE, 0, 99)
    if #first == 0 then return end
    local fields = {}
    for index, one in ipairs(first) do fields[index] = 'h' .. sub(one, 8) end
    local holds, ended = call('HMGET', STATE, unpack(fields)), 0
    for index, one in ipairs(first) do
      local hold = holds[index]
      if hold and byte(hold) == 0 and punpack('<I7', hold, 3) == punpack('<I7', one) then break end
      ended = ended + 1
    end
    if ended > 0 then call('LTRIM', DUE, ended, -1) end
    if ended < 100 or punpack('<I7', first[100]) > now then return end
  end
end

-- Ends every hold that is due by now, in (due, id) order. False where more are due than one call should end.
local function end_due()
  for _ = 1, 1000 do
    skip_ended()
    local first, moved = call('LINDEX', DUE, 0), call('ZRANGE', MOVED, 0, 0, 'WITHSCORES')
    local due, id
    if first then
      due = punpack('<I7', first)
      id = sub(first, 8)
    end
    local moved_due = moved[1] and tonumber(moved[2])
    if moved_due and (not due or moved_due < due or (moved_due == due and moved[1] < id)) then
      first, due, id = nil, moved_due, moved[1]
    end
    if not due then
      next_due, last_due, last_id = MOST, 0, ''
      return true
    end
    if due > now then
      next_due = due
      return true
    end
    local value = call('HGET', STATE, 'h' .. id)
    local h = value and parse_hold(id, value)
    if h and h.state == 0 and h.due == due then
      local charges = flag(h, 2)
      local microcents, tokens = charges and h.held_microcents or 0, charges and h.held_tokens or 0
      insert(effects, 'x' .. pack('<I7I7I7I2', due, microcents, tokens, #id) .. id .. h.facts)
      end_hold(h, 3, 3, microcents, tokens, due)
      save_scopes()
      -- Written before the next hold is read: it may be placed in the same scopes.
      call('HSET', STATE, unpack(writes))
      writes, added = {}, {}
    end
    -- Only now: had its ending failed, it would still be due.
    if first then call('LPOP', DUE) else call('ZREM', MOVED, id) end
  end
  return false
end

-- Deletes what was remembered long enough, some at a time; whether an id is still remembered never depends on it.
local function forget_some()
  local earliest = MOST
  for _, each in ipairs({{SHORT, SHORT_KEPT_MS}, {LONG, LONG_KEPT_MS}}) do
    local list, kept = each[1], each[2]
    local first = call('LRANGE', list, 0, 99)
    local gone = 0
    for _, one in ipairs(first) do
      local ended = punpack('<I7', one)
      if ended + kept > now then break end
      gone = gone + 1
      local id = sub(one, 8)
      local value = call('HGET', STATE, 'h' .. id)
      if value then
        local h = parse_hold(id, value)
        if h.ended == ended and not is_remembered(h) then call('HDEL', STATE, 'h' .. id) end
      else
        local refund = call('HGET', STATE, 'r' .. id)
        if refund and punpack('<I7', refund) == ended then call('HDEL', STATE, 'r' .. id) end
      end
    end
    if gone > 0 then call('LTRIM', list, gone, -1) end
    local next_one = gone == #first and call('LINDEX', list, 0) or first[gone + 1]
    if next_one then
      local forget = punpack('<I7', next_one) + kept
      if forget < earliest then earliest = forget end
    end
  end
  next_forget = earliest
end
