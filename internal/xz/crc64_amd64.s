//go:build !purego

#include "textflag.h"

// func fold(crc uint64, p []byte, keys *[2]uint64) (first, second uint64)
TEXT ·fold(SB), NOSPLIT, $0-56
	MOVQ  crc+0(FP), X0
	MOVQ  p_base+8(FP), SI
	MOVQ  p_len+16(FP), CX
	MOVQ  keys+32(FP), AX
	MOVOU (AX), X1
	MOVOU (SI), X2
	PXOR  X2, X0
	JMP   next

unit:
	MOVOU     (SI), X2
	MOVO      X0, X3
	PCLMULQDQ $0x00, X1, X0
	PCLMULQDQ $0x11, X1, X3
	PXOR      X2, X0
	PXOR      X3, X0

next:
	ADDQ   $16, SI
	SUBQ   $16, CX
	JNE    unit
	MOVQ   X0, first+40(FP)
	PSRLDQ $8, X0
	MOVQ   X0, second+48(FP)
	RET
