package config

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"
)

// translate turns CUE's errors into problems: one for each path, with both
// places of a conflict.
func translate(err error, where *places, strip []string) error {
	var problems Problems
	byPath := map[string]int{}
	for _, e := range errors.Errors(err) {
		format, args := e.Msg()
		if strings.Contains(format, "empty disjunction") {
			continue // its parts follow
		}
		elements := e.Path()
		for len(strip) > 0 && len(elements) > 0 && len(elements) >= len(strip) && strings.Join(elements[:len(strip)], "\x00") == strings.Join(strip, "\x00") {
			elements = elements[len(strip):]
		}
		if len(elements) > 0 && elements[0] == "#Machine" {
			elements = elements[1:]
		}
		path := PathOf(unquoted(elements))
		mine, theirs := takingPart(e, where)
		problem := Problem{Path: path, Message: plain(format, args), elements: unquoted(elements)}
		switch {
		case len(mine) > 0:
			problem.Place, problem.Others = mine[0], append(mine[1:], theirs...)
		case len(theirs) > 0:
			problem.Place, problem.Others = theirs[0], theirs[1:]
		}
		if strings.HasPrefix(format, "incomplete value") && len(elements) > 0 || strings.Contains(format, "field is required") {
			name := unquoted(elements)
			problem.Path = PathOf(name[:len(name)-1])
			problem.Message = fmt.Sprintf("the option %q has no value", name[len(name)-1])
			problem.Place, problem.Others = Place{}, nil
		}
		conflict(&problem, format, values(mine, args), theirs)
		if at, again := byPath[path]; again && path != "" {
			// Alternatives of one disjunction: the one with the most places of
			// the person's own tells the most.
			if len(problem.Others) > len(problems[at].Others) && problems[at].Place.Builtin() {
				problems[at] = problem
			}
			continue
		}
		byPath[path] = len(problems)
		problems = append(problems, problem)
	}
	return problems.sorted()
}

// takingPart splits an error's places into those of the repository and Stet's.
func takingPart(e errors.Error, where *places) (mine, theirs []Place) {
	seen := map[string]bool{}
	for _, pos := range append([]token.Pos{e.Position()}, e.InputPositions()...) {
		place := where.at(pos)
		if place.Line == 0 || seen[place.String()] {
			continue
		}
		seen[place.String()] = true
		if own(pos) {
			mine = append(mine, place)
		} else {
			theirs = append(theirs, place)
		}
	}
	return mine, theirs
}

// conflict words the error of two values for one thing. CUE names the two
// places first, and then those that brought them together.
func conflict(problem *Problem, format string, mine, theirs []Place) {
	if !strings.HasPrefix(format, "conflicting values") {
		return
	}
	switch {
	case len(theirs) > 0 && typeFile(theirs[0].File):
		// Not two values, but one of the wrong kind.
		if len(mine) > 0 {
			problem.Place, problem.Others = mine[0], nil
		}
	case len(mine) > 1:
		// The value to make a default is the one in CUE, where a default can
		// be written; of two, the first.
		first, second := mine[0], mine[1]
		if !strings.HasSuffix(first.File, ".cue") {
			first, second = second, first
		}
		problem.Place, problem.Others = second, []Place{first}
		problem.Message = "has another value already"
		problem.Remedy = overridable(first)
	case len(mine) == 1 && len(theirs) > 0 && !typeFile(theirs[0].File):
		problem.Others = theirs[:1]
		problem.Message = "is decided by Stet's " + strings.TrimPrefix(theirs[0].File, builtinPrefix)
		problem.Remedy = "use its options, or leave this to it"
	}
}

// values picks from the places of a conflict those of the two values, which
// the arguments of the error spell, before those that brought them together.
func values(mine []Place, args []any) []Place {
	var spelt, rest []Place
	for _, place := range mine {
		text := strings.Trim(written(place), `"'`)
		switch {
		case slices.ContainsFunc(args, func(a any) bool { return text != "" && strings.Trim(fmt.Sprint(a), `"`) == text }):
			spelt = append(spelt, place)
		case text != "" && text != "if" && text != "for": // the text of a block is empty
			rest = append(rest, place)
		}
	}
	return append(spelt, rest...)
}

// withoutConsequences drops problems that no line of the repository takes part
// in, when there are others.
func withoutConsequences(problems Problems) Problems {
	problems = oneCycle(problems)
	var kept Problems
	cycles := map[string]bool{}
	for _, p := range problems {
		if isCycle(p) {
			for _, place := range append(p.Others, p.Place) {
				cycles[place.String()] = true
			}
		}
	}
	for _, p := range problems {
		if p.Place.Line != 0 && !p.Place.Builtin() && (isCycle(p) || !cycles[p.Place.String()]) {
			kept = append(kept, p)
		}
	}
	if len(kept) > 0 {
		return kept
	}
	return problems
}

const cycleMessage = "cannot be known: it depends on itself"

func isCycle(p Problem) bool { return p.Message == cycleMessage }

// oneCycle makes one problem of those that CUE has for each value of a cycle.
func oneCycle(problems Problems) Problems {
	var kept Problems
	first := -1
	for _, p := range problems {
		if !strings.HasPrefix(p.Message, "cycle with field: ") {
			kept = append(kept, p)
			continue
		}
		p.Message, p.Remedy = cycleMessage, "give one of them a value"
		if first < 0 {
			first = len(kept)
			kept = append(kept, p)
		} else if p.Place.String() != kept[first].Place.String() {
			kept[first].Others = append(kept[first].Others, p.Place)
		}
	}
	return kept
}

// plain is a message of CUE with its arguments shortened to one screen.
func plain(format string, args []any) string {
	const most = 80
	short := make([]any, len(args))
	for i, a := range args {
		text := fmt.Sprint(a)
		if r := []rune(text); len(r) > most {
			text = string(r[:most]) + "…"
		}
		short[i] = text
	}
	if format == "field not allowed" {
		return "unknown option"
	}
	return fmt.Sprintf(strings.ReplaceAll(strings.ReplaceAll(format, "%d", "%v"), "%q", "%v"), short...)
}
