// Package assessment settles what a boot has shown of its generation: that it is
// good, that it is not well, that another one was given up.
//
// It takes the ESP, the generations, and which of them was booted; it gives a
// generation its marks, takes counters away, and says whether the machine should
// start again so that the boot loader goes on. docs/formats/boot.md has the rules.
//
// It must never reboot, ask how the machine is, or write an entry. cli may
// import it.
package assessment
