-- Ends a hold with what its call really cost.
--
-- ARGV 1, after the header: I2 id | I7 microcents | I7 tokens + 1, 0 for what was held | s model, empty for the decided one
--   | s provider, empty for the request's | I4 details of the cost for the outbox, empty for none
-- Returns  K settled: B replayed | B late | I7 held microcents | facts      U unknown    E ended otherwise: B state

-- First the common case by hand, without a function of its own: the hold is open, its scopes still have just the windows that it was
-- placed in, none has turned, and nothing is to be announced. Whatever else it may be is left, before anything was written, to the
-- whole story below.
do
  local call, pack, punpack, sub, byte = redis.call, struct.pack, struct.unpack, string.sub, string.byte
  local A, STATE = ARGV[1], KEYS[1]
  local epoch, now, _, capacity, id, microcents, tokens, model, answerer, details = punpack('<c8I7I7I4I2c0I7I7ssI4c0', A)
  now = now - 1
  if now < 0 then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  local found = call('HMGET', STATE, 'm', 'h' .. id)
  local meta, hold = found[1], found[2]
  if meta and hold and byte(hold) == 0 and byte(hold, 2) < 4 then
    local stored, before, seq, next_due, next_forget, appended, flags, last_due, last_id = punpack('<c8I7I7I7I7I7BI7s', meta)
    if before > now then now = before end
    local _, bits, due, _, _, _, held, held_tokens, _, facts_size, p = punpack('<BBI7I7BBI7I7c8I4', hold)
    local facts_at = p
    local tier, provider, _, _, asked = punpack('<sssBs', hold, p)
    p = p + facts_size
    p = p + 1 + 14 * byte(hold, p)
    local size
    size, p = punpack('<I2', hold, p)
    local reading = p + size
    local scopes
    scopes, p = punpack('<B', hold, p)
    local fits = stored == epoch and next_due > now and next_forget + 250 > now and (model == '' or model == asked) and (answerer == '' or answerer == provider)
    if tokens == 0 then tokens = held_tokens else tokens = tokens - 1 end
    local total_field = 't' .. asked .. '\0' .. provider .. '\0' .. tier
    local fields, counts, places = {}, {}, {}
    for index = 1, fits and scopes or 0 do
      local key, count
      key, count, p = punpack('<I2c0B', hold, p)
      fields[index], counts[index], places[index] = 's' .. key, count, p
      if index < scopes then
        local rolling = 0
        for n = 0, count - 1 do if byte(hold, p + n) >= 16 then rolling = rolling + 1 end end
        p = p + 12 * count + 7 * rolling
        for _ = 1, count do p = p + 1 + 2 * byte(hold, p) end
      end
    end
    local written
    if fits then
      fields[scopes + 1] = total_field
      found = call('HMGET', STATE, unpack(fields))
      fits = found[scopes + 1]
      written = {}
    end
    for index = 1, fits and scopes or 0 do
      local value, count, place = found[index], counts[index], places[index]
      if not value or byte(value) ~= count then
        fits = false
        break
      end
      local columns = string.rep('I7', 2 * count)
      local s = {punpack('<BI4' .. columns .. 'I7I7c' .. count .. 's', value)}
      local codes, starts = s[5 + 2 * count], s[7 + 2 * count]
      -- INVARIANT (CONSERVATION): only the very instances that the hold was placed in are charged.
      if now >= s[3 + 2 * count] or codes ~= sub(hold, place, place + count - 1) or sub(value, starts, starts + 7 * count - 1) ~= sub(hold, reading + 14 * count, reading + 21 * count - 1) then
        fits = false
        break
      end
      local sums = starts + 14 * count
      local charged, entries, alerts = punpack('<I7I7', value, sums)
      -- INVARIANT (ALERT-ONCE): what the last announcement left to be reached is true for its limit and its list of percentages.
      if sub(value, alerts, alerts + 11 * count - 1) ~= sub(hold, place + count, place + 12 * count - 1) then
        fits = false
        break
      end
      local next_at = {punpack('<' .. string.rep('I7', count), value, alerts + 11 * count)}
      for n = 1, count do
        local unit = byte(codes, n) % 4
        if unit ~= 2 then
          local spent = s[2 + count + n] + (unit == 0 and microcents or tokens)
          local rest = s[2 + n] - (unit == 0 and held or held_tokens)
          if spent > 9007199254740991 or (next_at[n] > 0 and spent >= next_at[n]) then fits = false end
          s[2 + count + n] = spent
          s[2 + n] = rest < 0 and 0 or rest
        end
      end
      charged = charged + microcents
      if not fits or charged > 9007199254740991 then
        fits = false
        break
      end
      written[2 * index - 1] = fields[index]
      written[2 * index] = pack('<BI4' .. columns, count, s[2] - 1, unpack(s, 3, 2 + 2 * count)) .. sub(value, 6 + 14 * count, sums - 1) .. pack('<I7I7', charged, entries + 1) .. sub(value, alerts)
      reading = reading + 28 * count
    end
    if fits then
      local ended = pack('<BBI7I7I7I7I7I7I7I2', 1, bits, due, now, microcents, tokens, 0, 0, 0, 0) .. sub(hold, 10)
      local entry = pack('<c1BI7i8i8I7I7I2I2', 'e', 1, now, microcents, tokens, now, now, 0, #id) .. id .. ended
      local item, entry_id = {'e', entry}
      if details ~= '' then item[3], item[4] = 'd', details end
      if capacity > 0 and flags % 2 == 0 then
        entry_id = call('XADD', KEYS[6], 'MAXLEN', '~', capacity, '*', unpack(item))
      else
        entry_id = call('XADD', KEYS[6], '*', unpack(item))
      end
      local is_given = bits % 2 == 1
      local pushed = redis.pcall('RPUSH', KEYS[is_given and 5 or 4], pack('<I7', now) .. id)
      if type(pushed) == 'table' and pushed.err then
        call('XDEL', KEYS[6], entry_id)
        if call('XLEN', KEYS[6]) == 0 then call('DEL', KEYS[6]) end
        return pushed
      end
      local forget = now + (is_given and 86400000 or 60000)
      if forget < next_forget then next_forget = forget end
      local sum, used, count = punpack('<ddd', found[scopes + 1])
      meta = pack('<c8I7I7I7I7I7BI7s', epoch, now, seq + 1, next_due, next_forget, appended + 1, flags, last_due, last_id)
      call('HSET', STATE, 'm', meta, 'h' .. id, ended, total_field, pack('<ddd', sum + microcents, used + tokens, count + 1), unpack(written))
      return pack('<c1I7I7BBI7', 'K', now, 2 * seq + 3, 0, 0, held) .. sub(hold, facts_at, facts_at + facts_size - 1)
    end
  end
end

--include common
--include endings
--include ending
if not h then return finish('U') end
local microcents, tokens, model, provider, details = punpack('<I7I7ssI4c0', A, at)
tokens = tokens == 0 and h.held_tokens or tokens - 1
local late, replayed = h.state == 3, h.state == 1
if h.state == 2 or (replayed and (h.microcents ~= microcents or h.tokens ~= tokens)) then return finish('E', pack('<B', h.state)) end
if replayed then
  late = flag(h, 4)
else
  if model ~= '' then set_model(h, model) end
  if provider ~= '' then set_provider(h, provider) end
  if late then correct_expired(h, microcents, tokens, details) else end_hold(h, 1, 1, microcents, tokens, now, details) end
  save_scopes()
end
return finish('K', pack('<BBI7', replayed and 1 or 0, late and 1 or 0, h.held_microcents) .. h.facts)
