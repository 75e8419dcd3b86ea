// npagent holds NetworkPolicies of networking.k8s.io/v1 on the one node of a test cluster: it watches pods,
// namespaces and policies, and keeps one nftables table, which it replaces as a whole.
//
// IPv4 only. A policy that changes leaves connections that are established as they are, like most enforcers.
// What an address of the pods' network sends or gets before its pod is known is dropped, so that no pod is ever
// open before its policies hold.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// settle is for how long changes are gathered before the table is replaced.
const settle = 20 * time.Millisecond

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	node := flag.String("node", "", "only pods of this node are held; empty: all")
	network := flag.String("pod-network", "", "the pods' network: what isn't known in it is dropped")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	enforce(ctx, client, *node, *network)
}

// enforce keeps the table as the API server says until ctx ends.
func enforce(ctx context.Context, client kubernetes.Interface, node, network string) {
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	changed := make(chan struct{}, 1)
	note := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { note() },
		UpdateFunc: func(_, _ any) { note() },
		DeleteFunc: func(any) { note() },
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			log.Fatal(err)
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	last := ""
	for {
		// Listing from a cache can't fail.
		seen := World{Node: node, Network: network}
		seen.Pods, _ = pods.Lister().List(labels.Everything())
		seen.Namespaces, _ = namespaces.Lister().List(labels.Everything())
		seen.Policies, _ = policies.Lister().List(labels.Everything())
		last = replace(seen, last)
		select {
		case <-ctx.Done():
			return
		case <-changed:
			time.Sleep(settle)
		}
	}
}

// replace puts the table in the place of the last one, which stays where that can't be done.
func replace(seen World, last string) string {
	table, err := Render(seen)
	if err != nil {
		log.Print("a policy can't be read, the table stays as it is: ", err)
		return last
	}
	if table == last {
		return last
	}
	begun := time.Now()
	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(table)
	if said, err := nft.CombinedOutput(); err != nil {
		log.Printf("nft: %v: %s\n%s", err, said, table)
		return last
	}
	log.Print(fmt.Sprintf("%d policies, %d pods, %d lines in %v",
		len(seen.Policies), len(seen.Pods), strings.Count(table, "\n"), time.Since(begun)))
	return table
}
