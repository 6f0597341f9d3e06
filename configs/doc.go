// Package configs reads Cloakroom's configuration file.
//
// The file is YAML and strict. [Load] answers with a complete [Config], every default filled in, or
// with an [*Errors] that lists all mistakes at once, each with its place, its source line and what
// would be right:
//
//	cloakroom.yaml:9:3: session.idle_timout: unknown key, did you mean "idle_timeout"?
//	  9 |   idle_timout: 30m
//	    |   ^
//
// # Language
//
// The keys are the fields of Config and of the parts' own Config types. Their struct tags are the
// only description there is, and the loader, the JSON Schema and reference.yaml all follow them:
//
//	yaml      the key
//	default   its value where the file does not say
//	required  the key must be there
//	example   a value of the right shape, for reference.yaml and for error messages
//	enum      the values that it takes, separated by commas; for a list, that its items take
//	file      a path, made relative to the configuration file; "true" names a file, "dir" a folder, "watched" a file whose
//	          changes concern its owner and not the configuration
//	filled    a section that means something by being there, and so must have keys
//	template  ${user.…} may stand in it, which is left to whoever reads the value
//	short     of a section: the one of its keys that may stand for the whole, without its name
//	          of a list: the same of each of its items
//	single    of a list: one item may stand for a list of one
//	secret    never shown, whatever is wrong with it; fields of type secret.String are secret by themselves
//
// Durations are Go's (30m), sizes are 10MiB. In any string, ${env:NAME} and ${file:PATH} are
// replaced once, at load; what they bring is not looked at again. A byte order mark and one trailing line break of a
// file are cut. $${ is a literal ${, and any other ${ is an error. Inside [ ] and { } YAML itself wants
// quotes around them: secrets: ["${file:/run/secrets/session}"].
//
// Anchors, aliases, merge keys, tags, directives and further documents are refused: none is needed
// here, and an alias can make a small file a very large one.
//
// # Secrets
//
// An error message shows the source line, so it could show a password. It never does: secret values
// are masked, and so is every value that the loader cannot place, such as that of a misspelt
// key. In a file that is not even YAML only our own words are shown.
//
// # Validate
//
// After reading, the method Validate(report) of every part is called. It is pure: it looks at
// the values, not at files or the network, and reports every mistake by the key it concerns.
package configs
