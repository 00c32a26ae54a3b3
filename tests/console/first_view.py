# SPDX-License-Identifier: Apache-2.0
"""The first view with nothing in the cache: what travels for it, and when it can be used. The test asserts the bytes, which are the
same everywhere; bench/console_first_view.py prints the times, which are not."""


def look(browser, server, name):
    """One load of the overview by a browser that was never here, whose person is signed in already. gzip_bytes: everything but the
    answers of the API, as it travels; usable_ms: from the beginning of the navigation until the newest alerts are on screen, which is
    when a person can go on; frame_ms and chart_ms: until the navigation, until the chart is there."""
    with browser.person(server) as first:
        first.sign_in(name)
    with browser.person(server) as p:
        p.context.add_cookies(browser.cookies[server.url, name])
        devtools, came = p.context.new_cdp_session(p.page), {}
        devtools.send("Network.enable")
        devtools.on("Network.responseReceived", lambda e: came.__setitem__(e["requestId"], [e["response"]["url"], 0]))
        devtools.on("Network.loadingFinished", lambda e: e["requestId"] in came and came[e["requestId"]].__setitem__(1, int(e["encodedDataLength"])))
        p.context.add_init_script("""(() => {
            const at = {};
            window.__at = at;
            const look = () => {
                if (!at.frame && document.querySelector('nav[aria-label=Main]')) at.frame = performance.now();
                if (!at.usable && document.querySelector('main table.small a[href^="/alerts/"]')) at.usable = performance.now();
                if (!at.chart && document.querySelector('main .recharts-bar-rectangle path')) at.chart = performance.now();
                if (!at.chart || !at.usable) requestAnimationFrame(look);
            };
            requestAnimationFrame(look);
        })()""")
        p.go("/")
        p.until("() => window.__at.usable && window.__at.chart")
        at = p.page.evaluate("window.__at")
        own = [n for url, n in came.values() if "/api/" not in url]
        return {"files": len(own), "gzip_bytes": sum(own), "frame_ms": round(at["frame"]), "usable_ms": round(at["usable"]),
                "chart_ms": round(at["chart"])}
