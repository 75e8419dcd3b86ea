// What of Kubernetes' `agnhost` the pods of the suite run: one serves on ports, the other dials.
package main

import (
	"os"

	"github.com/spf13/cobra"
	"k8s.io/kubernetes/test/images/agnhost/connect"
	"k8s.io/kubernetes/test/images/agnhost/porter"
)

func main() {
	root := &cobra.Command{Use: "agnhost"}
	root.AddCommand(connect.CmdConnect, porter.CmdPorter)
	if root.Execute() != nil {
		os.Exit(1)
	}
}
