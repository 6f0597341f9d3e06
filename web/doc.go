// Package web holds what browsers get from the server itself: the pages that it shows when there
// is no app to show them, and the demo's app.
//
// Every page has one layout: a card with a title, a sentence, at most one thing to do, and, on
// errors, the request's ID to quote to a helpdesk. The pages work without scripts, load nothing from
// anywhere, follow the browser's light or dark setting, and carry their whole style inline, which
// the policy of [PageCSP] allows by its hash. They name no product: to a user they are part of
// the app that they were using.
//
//	w.Header().Set("Content-Type", "text/html; charset=utf-8")
//	w.Header().Set("Content-Security-Policy", web.PageCSP("'self'"))
//	err := web.RenderPage(w, web.SignOut("/bff/logout", "/"))
//
// [RenderPage] turns any [PageData] into HTML; problems are rendered from their own title and detail. The functions that return a
// PageData hold the texts of pages that are always the same. [Demo] is the demo's app.
package web
