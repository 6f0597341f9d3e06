// Command cloakroom is the session server and what its operators need around it.
//
//	cloakroom serve --config cloakroom.yaml     run the server
//	cloakroom check --config cloakroom.yaml     say whether a configuration is right
//	cloakroom explain GET /api/orders/7         say what becomes of a request, and why
//	cloakroom test routes_test.yaml             hold the routes against what a team expects of them
//	cloakroom routes                            list the routes of all files
//	cloakroom schema                            print the configuration's JSON Schema, for editors
//	cloakroom keys new NAME                     make an API key; also keys list, keys revoke
//	cloakroom healthcheck                       ask a running server whether it lives, for Docker
//	cloakroom version                           print the version
//
// Answers go to standard output, errors and the log to standard error. The exit code is 0 for fine,
// 1 for failed while running, 2 for bad usage or configuration.
//
// There is one file a command. They parse flags and print; what they do is in the packages.
package main
