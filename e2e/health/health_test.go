// How tools that deploy from Git read the status of a grant, by their own code: Argo CD by its Lua runtime and the script
// of the chart, Flux and kpt by kstatus. The grants are those that Comity's own tests write down.
package health

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const (
	script     = "../../charts/comity/files/argocd-health.lua"
	situations = "../../src/grant/tests/snapshots/comity__grant__tests__health__every_situation_is_told_like_this.snap"
)

// What each situation has to read as.
var expected = map[string]struct {
	argo    string
	kstatus status.Status
	says    string
}{
	// Whoever waits by kstatus from the first moment sees it done before Comity has looked: kstatus knows no conditions
	// that have to be there. docs/gitops.md says how to wait.
	"not looked at yet":                  {"Progressing", status.CurrentStatus, "has yet to look at it"},
	"being opened":                       {"Progressing", status.InProgressStatus, "Opening: "},
	"open":                               {"Healthy", status.CurrentStatus, "Open: Sandbox is open until"},
	"changed, and not looked at since":   {"Progressing", status.InProgressStatus, "what was changed"},
	"waits for people":                   {"Suspended", status.CurrentStatus, "ConsentPending: "},
	"suspended":                          {"Suspended", status.CurrentStatus, "Suspended: "},
	"quarantined":                        {"Suspended", status.CurrentStatus, "Quarantined: "},
	"not accepted":                       {"Progressing", status.InProgressStatus, "UnknownPartner: "},
	"nothing is left of what was agreed": {"Degraded", status.FailedStatus, "PolicyChanged: "},
	"journal broken":                     {"Degraded", status.FailedStatus, "JournalBroken: "},
	"ended":                              {"Healthy", status.CurrentStatus, "Ended: ended at "},
	"changed after its end":              {"Degraded", status.FailedStatus, "Ended: "},
	"being deleted":                      {"Progressing", status.TerminatingStatus, "Closing: "},
}

// The grants, by the situation that they are in.
func grants(t *testing.T) map[string]map[string]any {
	t.Helper()
	text, err := os.ReadFile(situations)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, opened := strings.Cut(string(text), "---\n")
	_, body, closed := strings.Cut(rest, "---\n")
	if !opened || !closed {
		t.Fatal("that isn't a snapshot")
	}
	found := map[string]map[string]any{}
	if err := yaml.Unmarshal([]byte(body), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// What Argo CD makes of an object: as in util/lua/lua.go of Argo CD, with no more of Lua than it gives to scripts.
func argo(t *testing.T, script string, object map[string]any) (string, string) {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		open := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(open, lua.LString(library.name)); err != nil {
			t.Fatal(err)
		}
	}
	soon, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(soon)
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(script); err != nil {
		t.Fatal(err)
	}
	answer, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		t.Fatalf("the script answers %v", state.Get(-1))
	}
	return lua.LVAsString(answer.RawGetString("status")), lua.LVAsString(answer.RawGetString("message"))
}

// A value as Lua has it; as decodeValue of Argo CD.
func value(state *lua.LState, given any) lua.LValue {
	switch given := given.(type) {
	case bool:
		return lua.LBool(given)
	case float64:
		return lua.LNumber(given)
	case int64:
		return lua.LNumber(given)
	case string:
		return lua.LString(given)
	case []any:
		table := state.CreateTable(len(given), 0)
		for _, item := range given {
			table.Append(value(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(given))
		for key, item := range given {
			table.RawSetH(lua.LString(key), value(state, item))
		}
		return table
	}
	return lua.LNil
}

// The object as an API server's client has it: whole numbers are whole.
func asClient(t *testing.T, object map[string]any) *unstructured.Unstructured {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	read := &unstructured.Unstructured{}
	if err := read.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestEverySituationReadsAsItShould(t *testing.T) {
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	all := grants(t)
	for name := range expected {
		if _, there := all[name]; !there {
			t.Errorf("there is no grant that is %q", name)
		}
	}
	for name, object := range all {
		wanted, known := expected[name]
		if !known {
			t.Errorf("nobody says how %q is to read", name)
			continue
		}
		read := asClient(t, object)
		health, message := argo(t, string(text), read.Object)
		if health != wanted.argo || !strings.Contains(message, wanted.says) {
			t.Errorf("%s: Argo CD says %s, %q", name, health, message)
		}
		result, err := status.Compute(read)
		if err != nil {
			t.Fatal(err)
		}
		if result.Status != wanted.kstatus {
			t.Errorf("%s: kstatus says %s, %q", name, result.Status, result.Message)
		}
	}
}

// Argo CD takes these words and no other.
func TestOtherObjectsReadAsSomethingToo(t *testing.T) {
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	metadata := map[string]any{"generation": int64(1)}
	says := func(conditions ...any) map[string]any {
		return map[string]any{"metadata": metadata, "status": map[string]any{"observedGeneration": int64(1), "conditions": conditions}}
	}
	condition := func(kind, status, reason string) map[string]any {
		return map[string]any{"type": kind, "status": status, "reason": reason}
	}
	cases := []struct {
		wanted string
		object map[string]any
	}{
		{"Healthy", says(condition("Ready", "True", "Accepted"))},
		{"Progressing", says(condition("Ready", "False", "NoBoundary"), condition("Reconciling", "True", "NoBoundary"))},
		{"Degraded", says(condition("Stalled", "True", "Invalid"), condition("Reconciling", "True", "Invalid"))},
		{"Unknown", says()},
		{"Unknown", says(condition("Ready", "False", "Accepted"))},
	}
	for _, one := range cases {
		if health, message := argo(t, string(text), one.object); health != one.wanted {
			t.Errorf("%v: %s, %q", one.object, health, message)
		}
	}
}
