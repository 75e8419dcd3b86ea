package main

import (
	"fmt"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// table is the name of the one that is ours.
const table = "inet comity_e2e"

// deny answers, so that what is refused by a policy is told from a closed port, and nobody waits.
const deny = "counter reject with icmpx type admin-prohibited"

// World is what the API server says.
type World struct {
	Pods       []*corev1.Pod
	Namespaces []*corev1.Namespace
	Policies   []*networkingv1.NetworkPolicy
	Node       string
	Network    string
}

// direction is one way of a connection, seen from the pod that a policy selects.
type direction struct {
	chain string
	own   string
	peer  string
}

var (
	egress  = direction{chain: "egress", own: "saddr", peer: "daddr"}
	ingress = direction{chain: "ingress", own: "daddr", peer: "saddr"}
)

func (world World) labels(namespace string) map[string]string {
	for _, candidate := range world.Namespaces {
		if candidate.Name == namespace {
			return candidate.Labels
		}
	}
	return nil
}

func live(pod *corev1.Pod) bool {
	ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	return pod.Status.PodIP != "" && !pod.Spec.HostNetwork && !ended
}

func selects(selector *metav1.LabelSelector, values map[string]string) (bool, error) {
	compiled, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, err
	}
	return compiled.Matches(labels.Set(values)), nil
}

// Render is pure: objects in, a script for nft out.
//
// forward is from pod to pod (also on the bridge, by br_netfilter), input from a pod to its own node. What the
// node sends to its own pods passes, as the NetworkPolicy API says.
func Render(world World) (string, error) {
	sort.Slice(world.Policies, func(i, j int) bool {
		one, other := world.Policies[i], world.Policies[j]
		return one.Namespace+"/"+one.Name < other.Namespace+"/"+other.Name
	})
	sort.Slice(world.Pods, func(i, j int) bool { return world.Pods[i].Status.PodIP < world.Pods[j].Status.PodIP })
	var chains strings.Builder
	jumps := map[string]*strings.Builder{egress.chain: {}, ingress.chain: {}}
	for _, pod := range world.Pods {
		if !live(pod) || (world.Node != "" && pod.Spec.NodeName != world.Node) {
			continue
		}
		for _, way := range []direction{egress, ingress} {
			isolated, allowed, err := world.allowed(pod, way)
			if err != nil {
				return "", err
			}
			if !isolated {
				continue
			}
			chain := way.chain + "_" + strings.ReplaceAll(pod.Status.PodIP, ".", "_")
			fmt.Fprintf(&chains, "  chain %s { # %s/%s\n", chain, pod.Namespace, pod.Name)
			for _, match := range allowed {
				fmt.Fprintf(&chains, "    %s counter return\n", match)
			}
			fmt.Fprintf(&chains, "    %s\n  }\n", deny)
			fmt.Fprintf(jumps[way.chain], "    ip %s %s jump %s\n", way.own, pod.Status.PodIP, chain)
		}
	}
	const text = `table %[1]s {}
delete table %[1]s
table %[1]s {
%[2]s  chain egress {
%[3]s  }
  chain ingress {
%[4]s  }
  chain forward { type filter hook forward priority 0; policy accept;
    ct state established,related accept
%[5]s    jump egress
    jump ingress
  }
  chain input { type filter hook input priority 0; policy accept;
    ct state established,related accept
%[6]s    jump egress
  }
}
`
	sources, both := world.unknown()
	return fmt.Sprintf(text, table, &chains, jumps[egress.chain], jumps[ingress.chain], both, sources), nil
}

// unknown drops what comes from, or goes to, an address of the pods' network that no pod is known by.
func (world World) unknown() (sources, both string) {
	if world.Network == "" {
		return "", ""
	}
	known := []string{world.Network[:strings.LastIndex(world.Network, ".")] + ".1"}
	for _, pod := range world.Pods {
		if live(pod) {
			known = append(known, pod.Status.PodIP)
		}
	}
	drop := func(side string) string {
		return fmt.Sprintf("    ip %[1]s %[2]s ip %[1]s != { %[3]s } counter drop\n", side, world.Network, strings.Join(known, ", "))
	}
	return drop("saddr"), drop("saddr") + drop("daddr")
}

// allowed says whether any policy isolates a pod in a direction, and if so what all of them let pass.
func (world World) allowed(pod *corev1.Pod, way direction) (bool, []string, error) {
	isolated, matches := false, []string(nil)
	for _, policy := range world.Policies {
		if policy.Namespace != pod.Namespace {
			continue
		}
		selected, err := selects(&policy.Spec.PodSelector, pod.Labels)
		if err != nil {
			return false, nil, err
		}
		for _, kind := range policy.Spec.PolicyTypes {
			if !selected || strings.ToLower(string(kind)) != way.chain {
				continue
			}
			isolated = true
			for _, rule := range policy.Spec.Ingress {
				if way == ingress {
					found, err := world.rule(rule.From, rule.Ports, policy.Namespace, pod, way)
					if err != nil {
						return false, nil, err
					}
					matches = append(matches, found...)
				}
			}
			for _, rule := range policy.Spec.Egress {
				if way == egress {
					found, err := world.rule(rule.To, rule.Ports, policy.Namespace, pod, way)
					if err != nil {
						return false, nil, err
					}
					matches = append(matches, found...)
				}
			}
		}
	}
	return isolated, matches, nil
}

// peer is one that a rule names: what matches it, and its pod where it is one.
type peer struct {
	match string
	pod   *corev1.Pod
}

// rule gives the matches of one rule: any of its peers, on any of its ports.
func (world World) rule(named []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, namespace string, self *corev1.Pod, way direction) ([]string, error) {
	peers, err := world.peers(named, namespace, way)
	if err != nil {
		return nil, err
	}
	var matches []string
	for _, one := range peers {
		if len(ports) == 0 {
			matches = append(matches, one.match)
		}
		for _, port := range ports {
			matches = append(matches, world.port(one, port, self, way)...)
		}
	}
	return matches, nil
}

func (world World) peers(named []networkingv1.NetworkPolicyPeer, namespace string, way direction) ([]peer, error) {
	if len(named) == 0 {
		return []peer{{}}, nil
	}
	var peers []peer
	for _, one := range named {
		if one.IPBlock != nil {
			if strings.Contains(one.IPBlock.CIDR, ":") {
				continue
			}
			match := fmt.Sprintf("ip %s %s", way.peer, one.IPBlock.CIDR)
			if len(one.IPBlock.Except) > 0 {
				match += fmt.Sprintf(" ip %s != { %s }", way.peer, strings.Join(one.IPBlock.Except, ", "))
			}
			peers = append(peers, peer{match: match})
			continue
		}
		for _, pod := range world.Pods {
			fits, err := world.fits(one, pod, namespace)
			if err != nil {
				return nil, err
			}
			if fits {
				peers = append(peers, peer{fmt.Sprintf("ip %s %s", way.peer, pod.Status.PodIP), pod})
			}
		}
	}
	return peers, nil
}

// fits says whether a peer of a policy in namespace selects a pod.
func (world World) fits(named networkingv1.NetworkPolicyPeer, pod *corev1.Pod, namespace string) (bool, error) {
	if !live(pod) {
		return false, nil
	}
	if named.NamespaceSelector == nil {
		if pod.Namespace != namespace {
			return false, nil
		}
	} else if fits, err := selects(named.NamespaceSelector, world.labels(pod.Namespace)); err != nil || !fits {
		return false, err
	}
	if named.PodSelector == nil {
		return true, nil
	}
	return selects(named.PodSelector, pod.Labels)
}

func (world World) port(one peer, port networkingv1.NetworkPolicyPort, self *corev1.Pod, way direction) []string {
	protocol := "tcp"
	if port.Protocol != nil {
		protocol = strings.ToLower(string(*port.Protocol))
	}
	switch {
	case port.Port == nil:
		return []string{one.match + " meta l4proto " + protocol}
	case port.Port.StrVal != "":
		return world.namedPort(one, port.Port.StrVal, protocol, self, way)
	case port.EndPort != nil:
		return []string{fmt.Sprintf("%s %s dport %d-%d", one.match, protocol, port.Port.IntVal, *port.EndPort)}
	default:
		return []string{fmt.Sprintf("%s %s dport %d", one.match, protocol, port.Port.IntVal)}
	}
}

// namedPort finds a name among the ports of the pod at the other end, or of every pod where none is named.
func (world World) namedPort(one peer, name, protocol string, self *corev1.Pod, way direction) []string {
	ends := []*corev1.Pod{self}
	if way == egress {
		ends = world.Pods
		if one.pod != nil {
			ends = []*corev1.Pod{one.pod}
		}
	}
	var matches []string
	for _, end := range ends {
		if !live(end) {
			continue
		}
		for _, container := range end.Spec.Containers {
			for _, port := range container.Ports {
				own := strings.ToLower(string(port.Protocol))
				if own == "" {
					own = "tcp"
				}
				if port.Name != name || own != protocol {
					continue
				}
				match := one.match
				if way == egress && one.pod == nil {
					match += " ip daddr " + end.Status.PodIP
				}
				matches = append(matches, fmt.Sprintf("%s %s dport %d", match, protocol, port.ContainerPort))
			}
		}
	}
	return matches
}
