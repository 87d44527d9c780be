package server

import (
	"errors"
	"os/exec"

	utilexec "k8s.io/utils/exec"
)

// exitStatus tells the streaming server the exit code of a program that ended badly.
//
// KWOK v0.8.0 wraps that error, and the streaming server recognises it only bare: an exec that ended with code 57 then
// looks like a fault of the kubelet. This file and one call of it are built into KWOK (see xtask's control_plane.rs).
func exitStatus(err error) error {
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.Exited() {
		return utilexec.CodeExitError{Err: ended, Code: ended.ExitCode()}
	}
	return err
}
