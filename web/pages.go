package web

// CookieHelp is the page of a browser that did not keep the cookies it was given, so that signing in would
// go round in circles.
func CookieHelp(again, requestID string) PageData {
	return PageData{
		Title: "Your browser did not keep the cookie",
		Text: "Signing in needs one cookie of this site, and your browser did not send it back. Nothing is " +
			"tracked with it: it only says that you are you.\n\n" +
			"Allow cookies for this site in your browser's settings, or leave the private window, then try again.",
		RequestID: requestID, ActionURL: again, ActionLabel: "Try again",
	}
}

// SignOut asks whether to sign out: a link alone must not end a session, only the button's POST may.
func SignOut(action, cancel string) PageData {
	return PageData{
		Title:     "Sign out?",
		Text:      "You will have to sign in again to go on working here.",
		ActionURL: action, ActionLabel: "Sign out", Form: true,
		CancelURL: cancel, CancelLabel: "Stay signed in",
	}
}

// Bounce moves the browser on to target from a page of our own origin. It exists because a redirect that began on another
// site arrives without a SameSite=Strict cookie, and a navigation that a page of ours began arrives with it.
func Bounce(target string) PageData {
	return PageData{
		Title:     "One moment",
		Text:      "You are being taken to the next page.",
		ActionURL: target, ActionLabel: "Continue", RefreshURL: target,
	}
}
