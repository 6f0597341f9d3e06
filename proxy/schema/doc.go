// Package schema says whether a request, or an answer, is what its description (OpenAPI 3.0 or 3.1, or a JSON Schema) allows.
// All of a description is read and compiled at the start by [Documents]: nothing is ever fetched, references lead nowhere but into the same file, and patterns
// are RE2, which takes no longer than its input is long. At run time [Request.Match], [Call.Head] and [Call.Body] decide without I/O, over exactly the bytes that go on:
// they are parsed strictly (parse.go), so that no upstream can read them in another way, and a refusal names each field for the client while its reason, for logs and metrics, holds no value.
package schema
