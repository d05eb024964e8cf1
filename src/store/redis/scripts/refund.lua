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
--include fetch
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

local left = microcents

local function take(h, amount, counted)
  h.corrections = h.corrections + 1
  change(h, 0, 0, 0, 1, -amount, 0, counted, now)
  append(5, h, now, -amount, 0, counted, h.ended, reason)
end

-- Takes what is left to refund from a charge, as far as it goes.
local function refund_from(h)
  local part = h.state == 0 and 0 or h.microcents - h.refunded
  if part > left then part = left end
  if part <= 0 then return end
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
end

local seen = {}

-- The endings in the outbox, newest first, until nothing is left or the wanted one is found. The newest entry of a charge says how it
-- stands now: a correction carries that, too.
local function refund_from_outbox(wanted)
  local last, newest = '+', {}
  while true do
    local page = call('XREVRANGE', OUTBOX, last, '-', 'COUNT', 200)
    for _, each in ipairs(page) do
      local entry = each[2][2]
      if byte(entry) == 101 then
        local kind, _, _, _, _, _, skipped, p = punpack('<BI7i8i8I7I7I2', entry, 2)
        local charged
        charged, p = punpack('<I2c0', entry, p + skipped)
        if not wanted or charged == wanted then
          local h = parse_hold(charged, sub(entry, p))
          if h.user == user then
            local name = charged .. '\0' .. h.opened
            newest[name] = newest[name] or h
            if kind ~= 5 and not seen[name] then
              seen[name] = true
              refund_from(newest[name])
              if wanted then return true end
              if left == 0 then return end
            end
          end
        end
      end
    end
    if #page < 200 then return end
    last = '(' .. page[#page][1]
  end
end

-- What has left the outbox for a sink is found among the ids that are remembered, newest first.
local function refund_from_remembered()
  local lists = {{SHORT, -1}, {LONG, -1}}
  while left > 0 do
    local best, best_ended
    for _, each in ipairs(lists) do
      each.item = each.item or call('LINDEX', each[1], each[2])
      local ended = each.item and punpack('<I7', each.item)
      if ended and (not best or ended > best_ended) then best, best_ended = each, ended end
    end
    if not best then return end
    local charged = sub(best.item, 8)
    best.item, best[2] = nil, best[2] - 1
    local value = call('HGET', STATE, 'h' .. charged)
    local h = value and parse_hold(charged, value)
    if h and h.user == user and not flag(h, 8) and not seen[charged .. '\0' .. h.opened] then
      seen[charged .. '\0' .. h.opened] = true
      refund_from(h)
    end
  end
end

if is_named == 1 then
  local named = found[4] and parse_hold(of, found[4])
  if named and is_remembered(named) then
    if named.user ~= user or flag(named, 8) then return finish('U') end
    refund_from(named)
  elseif not refund_from_outbox(of) then
    return finish('U')
  end
else
  refund_from_outbox()
  if left > 0 and flags % 2 == 1 then refund_from_remembered() end
end
save_scopes()
local applied = microcents - left
remember({ended = now, id = id}, LONG, LONG_KEPT_MS)
write('r' .. id, pack('<I7c8I7I7', now, fingerprint, applied, left))
return finish('K', pack('<BI7I7', 0, applied, left))
