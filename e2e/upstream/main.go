// Kubernetes' own suite of network policies, on its own: it is the enforcer's test (../tools/npagent).
// With the argument `image` it says which image its pods run.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/kubernetes/test/e2e/framework"
	"k8s.io/kubernetes/test/e2e/framework/config"
	_ "k8s.io/kubernetes/test/e2e/network/netpol"
	"k8s.io/kubernetes/test/utils/image"
)

// outcome hears of failures as a test of Go would.
type outcome struct{ failed bool }

func (o *outcome) Fail() { o.failed = true }

func main() {
	if len(os.Args) == 2 && os.Args[1] == "image" {
		fmt.Println(image.GetE2EImage(image.Agnhost))
		return
	}
	config.CopyFlags(config.Flags, flag.CommandLine)
	framework.RegisterCommonFlags(flag.CommandLine)
	framework.RegisterClusterFlags(flag.CommandLine)
	flag.Parse()
	framework.AfterReadingAllFlags(&framework.TestContext)
	gomega.RegisterFailHandler(framework.Fail)
	all := &outcome{}
	if !ginkgo.RunSpecs(all, "NetworkPolicies") || all.failed {
		os.Exit(1)
	}
}
