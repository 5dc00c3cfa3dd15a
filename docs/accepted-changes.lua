-- Example rules of accepted changes. The reference is docs/accepted-changes.md; the unit tests run this file.

-- The legacy bank charges 2.5 % for every transfer; the tariff promises VIPs 2.0 %. Half a cent is rounded up.
local function fee(amount, per_mille)
  return half_up(amount, per_mille, 1000)
end

rule {
  id = "vip-fee",
  reason = "Legacy never looks at the tier: VIPs pay 2.5 % instead of the published 2.0 %.",
  approver = "Head of Payments, CR-1041",
  expires = "2027-03-31",
  routes = { "transfers" },
  when = function(x)
    return x.legacy.status == 201 and x.legacy.body ~= nil
  end,
  expect = function(x)
    local amount = minor(x.legacy.body.amount, 2)
    local charged = minor(x.legacy.body.fee, 2)
    if charged ~= fee(amount, 25) then return nil end -- something else is wrong with it
    local due = fee(amount, 20)
    return {
      response = { ["/fee"] = text(due, 2) },
      -- The payer keeps the difference: modern's delta of its account is above legacy's by so much.
      shift = { [x.accounts[1].name] = charged - due },
    }
  end,
}

rule {
  id = "commission-rounding",
  reason = "Legacy cuts commissions to whole cents; the contract says half a cent is rounded up.",
  approver = "Product owner Accounts, CR-1107",
  expires = "2027-06-30",
  routes = { "withdrawals" },
  expect = function(x)
    local amount = minor(x.legacy.body.amount, 2)
    if minor(x.legacy.body.fee, 2) ~= truncate(amount, 15, 1000) then return nil end
    local due = half_up(amount, 15, 1000)
    return {
      response = { ["/fee"] = text(due, 2) },
      shift = { [x.accounts[1].name] = truncate(amount, 15, 1000) - due },
    }
  end,
}

-- 5 % a year. Legacy counts 30 days for every month of 31 and a year of 360; modern counts actual/365.
local function legacy_interest(balance, days)
  return half_up(balance, 5 * min(days, 30), 100 * 360)
end
local function modern_interest(balance, days)
  return half_up(balance, 5 * days, 100 * 365)
end

rule {
  id = "interest-day-count",
  reason = "Interest is actual/365 from 2026 on; legacy still computes 30/360.",
  approver = "Head of Accounting, CR-1093",
  expires = "2026-12-31",
  routes = { "interest" },
  when = function(x)
    return x.accounts[1].legacy_before ~= nil
  end,
  expect = function(x)
    local account = x.accounts[1]
    local days = x.request.body.days
    if minor(x.legacy.body.amount, 2) ~= legacy_interest(account.legacy_before, days) then return nil end
    -- Modern pays on its own balance: what was accepted before bears interest too.
    local due = modern_interest(account.modern_before, days)
    return {
      response = { ["/amount"] = text(due, 2) },
      shift = { [account.name] = due - legacy_interest(account.legacy_before, days) },
    }
  end,
}

-- Both sides charge a fee of 1 % below a balance of 1,000.00, and nothing from there on. An account whose balances
-- differ by accepted amounts can stand on both sides of that line.
rule {
  id = "tier-after-accepted",
  reason = "A balance that differs by accepted fees can be in another tier.",
  approver = "Head of Payments, CR-1041",
  expires = "2027-03-31",
  routes = { "deposits" },
  consequence = function(x, before, side)
    local amount = minor(x.request.body.amount, 2)
    local name = x.accounts[1].name
    local charged = before[name] < minor(1000, 2) and half_up(amount, 1, 100) or 0
    return {
      response = { ["/fee"] = text(charged, 2), ["/balance_after"] = text(before[name] + amount - charged, 2) },
      delta = { [name] = amount - charged },
    }
  end,
}
