// Package unified tells how two texts differ, as diff -u does.
//
// It takes two texts and gives one. It is pure and knows nothing of files: who
// shows a difference decides what may be shown. Everybody may import it.
package unified
