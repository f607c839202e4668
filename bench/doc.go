// Command bench measures Stet against what people use today and against the
// figures it has promised, on this machine, and says whether they hold.
//
// Run it from the root of the repository, as root, with bin/stet built:
//
//	go run ./bench [-json] [-runs N] [-only NAME,…] [-dir DIR]
//
// README.md says what is compared with what, and why that is fair. It is a
// program and not a test, since a busy machine makes nothing wrong. It takes
// bin/stet and the rooms' exported parts, and nobody imports it.
package main
