-- What Envoy remembers of refusals, for when the decision service is lost: who was refused stays refused for as long as
-- the verdict holds. Stands behind the filter that asks, so it sees both: requests that nobody decided on, and refusals.
--
-- The memory is that of one worker thread, for Envoy has no other: an account that was refused on one worker only is
-- free on the others while the service is lost. It is gone when Envoy restarts or takes a new configuration of this
-- filter. `envoy --concurrency` sets the number of workers. Accounts that Envoy names are remembered, API keys never.

local MOST = 50000 -- refusals in each of the two halves; where they are full, the older half is forgotten
local RETRY_AFTER_S = "30"

local young, old, count = {}, {}, 0

local function forget(account)
  old[account] = nil
  if young[account] ~= nil then
    young[account], count = nil, count - 1
  end
end

local function remember(account, refusal)
  forget(account)
  if count >= MOST then
    young, old, count = {}, young, 0
  end
  young[account], count = refusal, count + 1
end

local function account_of(handle)
  local named = handle:streamInfo():dynamicMetadata():get("stillwatch.gateway")
  return named and named["account"]
end

-- What was decided, as whichever filter asked has it: ext_authz over gRPC, over HTTP, or ext_proc.
local function decided(handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  local told = metadata:get("envoy.filters.http.ext_authz") or metadata:get("stillwatch") or {}
  return tonumber(told["ttl_s"] or told["x-sw-ttl"]), told["decision_id"] or told["x-sw-decision-id"]
end

local function refuse(handle, refusal)
  local kind, code, said = "permission_error", "access_blocked", "This account may not use this model now."
  if refusal.status == "429" then
    kind, code, said = "rate_limit_error", "rate_limited", "Too many requests; wait and try again."
  end
  local message = said .. " Quote decision " .. refusal.decision_id .. " in an appeal."
  local body = string.format('{"error":{"message":"%s","type":"%s","param":null,"code":"%s"}}', message, kind, code)
  if handle:headers():get(":path"):match("^[^?]*"):match("/messages/?$") then
    body = string.format('{"type":"error","error":{"type":"%s","message":"%s"},"request_id":"%s"}', kind, message, refusal.decision_id)
  end
  handle:respond({
    [":status"] = refusal.status,
    ["content-type"] = "application/json",
    ["x-sw-decision-id"] = refusal.decision_id,
    ["retry-after"] = refusal.status == "429" and RETRY_AFTER_S or nil,
  }, body)
end

function envoy_on_request(handle)
  local account = account_of(handle)
  if account == nil then
    return
  end
  local headers = handle:headers()
  if headers:get("x-sw-action") ~= nil then -- decided, and passed
    if headers:get("x-sw-reason") ~= "within_throttle" then
      forget(account)
    end
    return
  end
  local refusal = young[account] or old[account]
  if refusal == nil then
    return
  end
  if refusal.until_s <= os.time() then
    forget(account)
    return
  end
  refuse(handle, refusal)
end

function envoy_on_response(handle)
  local account = account_of(handle)
  local ttl_s, decision_id = decided(handle)
  if account ~= nil and ttl_s ~= nil then
    local refusal = { status = handle:headers():get(":status"), until_s = os.time() + ttl_s, decision_id = decision_id }
    remember(account, refusal)
  end
end
