package web_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cookies "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

type browserStep = chromedp.Action[chromedp.Void]

// browser is a headless Chromium with a profile of its own. It ends with the test.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium: apt-get install chromium")
	}
	options := append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Flag("headless", true), chromedp.Flag("no-sandbox", true), chromedp.Flag("disable-gpu", true),
		chromedp.Flag("no-first-run", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("mute-audio", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute),
	}, more...)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// browse does steps, and fails the test if they do not end.
func browse(t *testing.T, ctx context.Context, name string, steps ...browserStep) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(limited, steps...); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// signedIn gives a browser the session of an account, and no other cookie.
func (l *lab) signedIn(account string) browserStep {
	l.Helper()
	var sent []cookies.SetCookieParams
	if account != "" {
		only := true
		for _, c := range l.As(account).Jar.Cookies(l.At("/")) {
			sent = append(sent, cookies.SetCookieParams{Name: c.Name, Value: c.Value, URL: l.URL, HTTPOnly: &only})
		}
	}
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, cookies.ClearBrowserCookies, cdp.Empty{}); err != nil {
			return err
		}
		for _, c := range sent {
			if _, err := cdp.Call(ctx, t, cookies.SetCookie, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// lookAs sets the width of the window and the system's colour scheme, light or dark.
func lookAs(width int64, scheme string) browserStep {
	return chromedp.Steps(chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

// saved writes a picture of the whole page into a file.
func saved(path string) browserStep {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		shot, err := chromedp.FullScreenshot(100)(ctx, t)
		if err != nil {
			return err
		}
		return os.WriteFile(path, shot, 0o644)
	})
}

// holds waits until an expression is true, also while the page is replaced.
func holds(expression string) browserStep {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for {
			ok, err := chromedp.Evaluate[bool]("!!("+expression+")")(ctx, t)
			if ok {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s: %w, %v", expression, ctx.Err(), err)
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
}

// runs evaluates an expression whose value does not matter.
func runs(expression string) browserStep {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool]("(() => { "+expression+"; return true })()")(ctx, t)
		return err
	})
}

// notWide fails if a page is wider than its window.
func notWide(t *testing.T, name string) browserStep {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		over, err := chromedp.Evaluate[string](`(() => { const w = document.documentElement.clientWidth;
			if (document.documentElement.scrollWidth <= w) return "";
			return [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > w + 1).slice(0, 5)
				.map(e => e.tagName + "." + e.getAttribute("class") + " " + Math.round(e.getBoundingClientRect().right)).join(", ") || "something" })()`)(ctx, target)
		if err == nil && over != "" {
			t.Errorf("%s is wider than its window: %s", name, over)
		}
		return err
	})
}
