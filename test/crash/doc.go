// Package crash ends stet at every moment there is: by kill -9 at the points that
// internal/fault lists and at random ones, and by cutting a machine's power under
// a disk that loses what was not flushed. Whatever comes after must find the old
// generation or the new one, whole, and the next command must just work.
//
// ROUNDS is how many random moments are tried of each kind; the tests print it,
// and the seeds they used. Points that cost a boot or a switch each are drawn, too:
// 17 rounds have all of them. The others are all tried whatever it says.
package crash
