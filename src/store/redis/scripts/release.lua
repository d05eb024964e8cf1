-- Ends a hold whose call was not made.
--
-- ARGV 1, after the header: I2 id | B flags (1 leave a tombstone where the id is unknown, 2 take back its place among requests)
-- Returns  K released: B the state before    U unknown
--include common
--include endings
--include ending
local bits = punpack('<B', A, at)
if not h then
  if bits % 2 == 0 then return finish('U') end
  h = {id = id, state = 2, flags = 1 + 8, due = now, model = '', ended = now, microcents = 0, tokens = 0, refunded = 0, added = 0, added_at = 0, corrections = 0}
  h.static = pack('<I7BBI7I7c8I4sssBsBI2B', now, 0, 0, 0, 0, ('\0'):rep(8), 5, '', '', '', 0, '', 0, 1, 0)
  remember_hold(h)
  return finish('K', pack('<B', 2))
end
local before = h.state
if before == 0 then
  if bits >= 2 then
    local list = placements(h)
    load_scopes(list)
    for _, scope in ipairs(list) do
      for n = 2, #scope, 7 do
        local code, s = scope[n], loaded[scope[1]]
        local i = code % 4 == 2 and find(s, code, scope[n + 1], 5)
        if i and code >= 16 then
          add_to_bucket(s, i, h.opened, -1)
        elseif i and s[i + 2] == scope[n + 3] then
          s[i + 4] = within(s[i + 4] - 1)
        end
      end
    end
  end
  end_hold(h, 2, bits >= 2 and 6 or 2, 0, 0, now)
elseif before == 3 then
  correct_expired(h, 0, 0)
end
save_scopes()
return finish('K', pack('<B', before))
