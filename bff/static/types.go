package static

import (
	"path"
	"strings"
)

// unknownType is served for what the table does not know. With nosniff a browser shows or runs nothing of it.
const unknownType = "application/octet-stream"

// types are the content types of what builds produce. The table is ours, and not the machine's, which differs from image
// to image; script types other than these would not run.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".cjs": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8", ".csv": "text/csv; charset=utf-8",
	".xml": "application/xml; charset=utf-8", ".xhtml": "application/xhtml+xml; charset=utf-8", ".json": "application/json", ".map": "application/json", ".geojson": "application/geo+json",
	".webmanifest": "application/manifest+json", ".wasm": "application/wasm", ".pdf": "application/pdf", ".zip": "application/zip",
	".svg": "image/svg+xml; charset=utf-8", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon", ".bmp": "image/bmp",
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".eot": "application/vnd.ms-fontobject",
	".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".wav": "audio/wav", ".m4a": "audio/mp4", ".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime",
	".vtt": "text/vtt; charset=utf-8", ".glb": "model/gltf-binary", ".gz": "application/gzip", ".br": unknownType,
}

// wellKnown are files that have no extension and yet a type.
var wellKnown = map[string]string{"apple-app-site-association": "application/json"}

// contentType is the type of a file by its name.
func contentType(name string) string {
	if t := typeOf(name); t != "" {
		return t
	}
	return unknownType
}

// typeOf is the type that the tables know, or "".
func typeOf(name string) string {
	if t, ok := wellKnown[path.Base(name)]; ok {
		return t
	}
	return types[strings.ToLower(path.Ext(name))]
}
