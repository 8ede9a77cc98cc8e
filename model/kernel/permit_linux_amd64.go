package kernel

import "syscall"

// permitTiles asks Linux to save the matrix unit's tiles: it does so for
// processes that have asked.
func permitTiles() bool {
	const (
		archPrctl         = 158
		requestPermission = 0x1023 // ARCH_REQ_XCOMP_PERM
		tileData          = 18     // the component of XCR0
	)
	_, _, failed := syscall.RawSyscall(archPrctl, requestPermission, tileData, 0)
	return failed == 0
}
