-- Forgets some scopes whose windows ended so long ago that no calendar's running one can have begun before that end: the next window
-- starts no earlier than the stored one ended, whatever its zone says by then. Looked for only when a new scope comes, more than one
-- each time, so that what is stored is bounded. Included where a scope was made.
-- Of a day, a week and a month, with the hours of a change of zone or clocks; what never ends is never forgotten.
local LONGEST = {2 * 86400000, 8 * 86400000, 33 * 86400000, 0}
local function is_lapsed(s)
  if s[3] > 0 then return false end
  for i = 5, #s, 10 do
    if s[i] < 16 then
      if now < s[i + 3] + LONGEST[floor(s[i] / 4) + 1] then return false end
    elseif (s[i + 3] > 0 and now < (s[i + 3] + 20) * ceil(s[i + 1] / 20)) or (s[i + 6] > 0 and now < s[i + 2] + s[i + 1]) then
      return false
    end
  end
  return true
end
local written = {}
for index = 1, #writes, 2 do written[writes[index]] = true end
local scanned = call('HSCAN', STATE, call('HGET', STATE, 'g') or '0', 'COUNT', 4)
for index = 1, #scanned[2], 2 do
  local field = scanned[2][index]
  if byte(field) == 115 and not written[field] and is_lapsed(parse_scope(scanned[2][index + 1])) then
    call('HDEL', STATE, field)
    if flags < 4 then flags = flags + 4 end
  end
end
write('g', scanned[1])
