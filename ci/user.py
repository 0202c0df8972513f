#!/usr/bin/env python3
"""Plays a user in front of the service's page: opens the URL given, presses the button that DECISION names ("accept" where it
is not set), and goes where the page leads. Prints the six digits of the page and the button. Needs nothing but Python."""

import os
import sys
import urllib.parse
import urllib.request
from html.parser import HTMLParser


class Page(HTMLParser):
    """The form's hidden fields, its buttons, and the digits."""

    def __init__(self, text):
        super().__init__()
        self.fields, self.buttons, self.code, self.in_code = {}, [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        of = dict(attributes)
        self.in_code = of.get("id") == "code"
        if tag == "input" and of.get("type") == "hidden":
            self.fields[of["name"]] = of["value"]
        if tag == "button":
            self.buttons.append((of["name"], of["value"]))

    def handle_data(self, text):
        if self.in_code:
            self.code += text

    def handle_endtag(self, tag):
        self.in_code = False


url, decision = sys.argv[1], os.environ.get("DECISION", "accept")
# The page is on this machine: no proxy of the environment is asked.
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}))
page = Page(browser.open(url).read().decode())
name, value = next(button for button in page.buttons if button[1] == decision)
form = urllib.parse.urlencode({**page.fields, name: value}).encode()
browser.open(url, form).read()
print(f"the user sees {page.code}: {decision}")
