package web

// Problem is the page of an error: what a script would get as a problem document. again is where
// trying again may help, empty where it would not; sign-in pages label it by their own function.
func Problem(title, text, requestID, again, label string) PageData {
	return PageData{Title: title, Text: text, RequestID: requestID, ActionURL: again, ActionLabel: label}
}

// SignInRefused is the page of a sign-in that came back from the provider and was not accepted. The reason
// is for the log alone.
func SignInRefused(again, requestID string) PageData {
	return PageData{
		Title:     "You are not signed in",
		Text:      "The sign-in did not work this time. It may have taken too long, or been opened twice. Nothing has changed.",
		RequestID: requestID, ActionURL: again, ActionLabel: "Try again",
		CancelURL: "/", CancelLabel: "Back to the app",
	}
}

// SignInDeclined is the page of a sign-in that the user, or the provider, broke off.
func SignInDeclined(again, requestID string) PageData {
	return PageData{
		Title:     "Sign-in was cancelled",
		Text:      "You did not finish signing in, so nothing has changed.",
		RequestID: requestID, ActionURL: again, ActionLabel: "Try again",
		CancelURL: "/", CancelLabel: "Back to the app",
	}
}

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

// SignedOut says that the session has ended.
func SignedOut(signIn string) PageData {
	return PageData{
		Title:     "You are signed out",
		Text:      "Your session has ended on this device. It is safe to close this window.",
		ActionURL: signIn, ActionLabel: "Sign in again",
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

// Explanation is the page behind a problem's type URI: what the code means, for the developer who followed the link.
func Explanation(code, title, text string) PageData {
	return PageData{Title: title, Text: text + "\n\nThe code of this problem is " + code + "."}
}
