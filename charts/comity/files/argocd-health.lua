-- How Argo CD shows what is Comity's, by the conditions that Comity gives it:
--   waits for people, or somebody closed it for the time being   Suspended
--   as it can be now, also where it has ended                    Healthy
--   Comity is at work on it, or waits for what can heal          Progressing
--   nothing goes on until somebody changes something             Degraded
-- docs/gitops.md says where it goes. It needs no library: Argo CD doesn't give it any.
local people = { ConsentPending = true, Suspended = true, Quarantined = true }

if obj.status == nil or obj.status.conditions == nil then
  return { status = "Progressing", message = "Comity has yet to look at it" }
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Comity has yet to look at what was changed" }
end

local said = {}
for _, condition in ipairs(obj.status.conditions) do
  said[condition.type] = condition
end

local function is(type, status)
  return said[type] ~= nil and said[type].status == status
end

local function tell(status, condition)
  local message = condition.reason
  if condition.message ~= nil and condition.message ~= "" then
    message = message .. ": " .. condition.message
  end
  return { status = status, message = message }
end

if is("Stalled", "True") then
  return tell("Degraded", said.Stalled)
end
if is("Reconciling", "True") then
  return tell("Progressing", said.Reconciling)
end
if is("Ready", "True") then
  if people[said.Ready.reason] then
    return tell("Suspended", said.Ready)
  end
  return tell("Healthy", said.Ready)
end
-- Neither at work nor stuck nor ready is nothing that Comity says.
return { status = "Unknown", message = "Comity says neither that it is ready nor why it isn't" }
