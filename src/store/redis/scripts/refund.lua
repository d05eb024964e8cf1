-- Gives money back: to the charge of one hold, or to a user's charges from the newest ending back.
--
-- ARGV 1, after the header: I2 id | c8 fingerprint | s user key | I7 microcents | B 1 where an id is named, I2 that id | I2 reason
-- Returns  K refunded: B replayed | I7 applied | I7 unapplied    U no charge of that name and user    I id reused
-- A remembered refund: I7 at | c8 fingerprint | I7 applied | I7 unapplied
--include common
--include endings
local length, id, fingerprint, user, microcents, is_named, of, reason
length, at = punpack('<I2', A, at)
id = sub(A, at, at + length - 1)
fingerprint, user, microcents, is_named, length, at = punpack('<c8sI7BI2', A, at + length)
of = sub(A, at, at + length - 1)
length, at = punpack('<I2', A, at + length)
reason = sub(A, at, at + length - 1)
local fields = {'m', 'h' .. id, 'r' .. id, 'h' .. of}
local found = call('HMGET', STATE, unpack(fields))
local stopped = begin(found[1])
if stopped then return reply(stopped) end
if next_due <= now then
  if not end_due() then return finish('D') end
  found = call('HMGET', STATE, unpack(fields))
end
if next_forget + 250 <= now then forget_some() end
if found[3] then
  local refunded_at, known, applied, unapplied = punpack('<I7c8I7I7', found[3])
  if now < refunded_at + LONG_KEPT_MS then
    if known ~= fingerprint then return finish('I') end
    return finish('K', pack('<BI7I7', 1, applied, unapplied))
  end
end
local other = found[2] and parse_hold(id, found[2])
if other and is_remembered(other) then return finish('I') end

local charges, seen = {}, {}
-- The endings in the outbox, newest first. The newest entry of a charge says how it stands now: a correction carries that, too.
local function charges_in_outbox(wanted)
  local last, newest = '+', {}
  while true do
    local page = call('XREVRANGE', OUTBOX, last, '-', 'COUNT', 200)
    for _, each in ipairs(page) do
      local entry = each[2][2]
      if byte(entry) == 101 then
        local kind, _, _, _, _, _, skipped, p = punpack('<BI7i8i8I7I7I2', entry, 2)
        local size
        size, p = punpack('<I2', entry, p + skipped)
        local charged = sub(entry, p, p + size - 1)
        if not wanted or charged == wanted then
          local h = parse_hold(charged, sub(entry, p + size))
          if h.user == user then
            local name = charged .. '\0' .. h.opened
            newest[name] = newest[name] or h
            if kind ~= 5 and not seen[name] then
              seen[name] = true
              charges[#charges + 1] = newest[name]
              if wanted then return end
            end
          end
        end
      end
    end
    if #page < 200 then return end
    last = '(' .. page[#page][1]
  end
end
if is_named == 1 then
  local named = found[4] and parse_hold(of, found[4])
  if named and is_remembered(named) then
    if named.user == user and not flag(named, 8) then charges[1] = named end
  else
    charges_in_outbox(of)
  end
  if #charges == 0 then return finish('U') end
else
  charges_in_outbox()
end

local function take(h, amount, counted)
  h.corrections = h.corrections + 1
  change(h, 0, 0, 0, 1, -amount, 0, counted, now)
  append(5, h, now, -amount, 0, counted, h.ended, reason)
end
local left = microcents
for _, h in ipairs(charges) do
  local part = h.state == 0 and 0 or h.microcents - h.refunded
  if part > left then part = left end
  if part > 0 then
    left = left - part
    -- The newest first: what a late settle added, then what the ending charged.
    local from_added = h.added_at ~= h.ended and h.added or 0
    if from_added > part then from_added = part end
    h.added = h.added - from_added
    h.refunded = h.refunded + part
    if from_added > 0 then take(h, from_added, h.added_at) end
    if from_added < part then take(h, part - from_added, h.ended) end
    local live = call('HGET', STATE, 'h' .. h.id)
    if live and parse_hold(h.id, live).opened == h.opened then write('h' .. h.id, pack_hold(h)) end
    if left == 0 then break end
  end
end
save_scopes()
local applied = microcents - left
remember({ended = now, id = id}, LONG, LONG_KEPT_MS)
write('r' .. id, pack('<I7c8I7I7', now, fingerprint, applied, left))
return finish('K', pack('<BI7I7', 0, applied, left))
