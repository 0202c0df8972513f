#!/usr/bin/env python3
"""A shop: sets up what it sells, sells it through the owner's API or by a token of its own, and frees devices. Python and openssl.

    shop.py keys SHOP.PEM                        the public keys, for `wmlicensed serve --shop-keys`
    shop.py open KID…                            policies and offers: rent for two days, buy, subscribe
    shop.py sell ACCOUNT rent|buy [DEVICES]      an account with a grant; prints the account's token
    shop.py token SHOP.PEM ACCOUNT ORDER         a token of the shop that carries a subscription of a month
    shop.py free ACCOUNT DEVICE                  room for another device

SHOP_API is the URL of the management listener, SHOP_TOKEN an admin token."""

import base64, json, os, subprocess, sys, tempfile, time, urllib.error, urllib.request, uuid


def api(method, path, body=None):
    headers = {"Authorization": f"Bearer {os.environ['SHOP_TOKEN']}", "Content-Type": "application/json",
               "Idempotency-Key": str(uuid.uuid4())}
    request = urllib.request.Request(f"{os.environ['SHOP_API']}/admin/v1{path}", method=method, headers=headers,
                                     data=None if body is None else json.dumps(body).encode())
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer) if answer.status != 204 else None
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {path}: {json.load(error)['detail']}")


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, stdout=subprocess.PIPE, check=True).stdout


def open_shop(*kids):
    terms = {"rent": {"actions": {"Play": {"secondsAfterFirstUse": 172800}}}, "buy": {"actions": {"Play": {}}, "backup": True},
             "subscribe": {"actions": {"Play": {}}, "clearKey": True}}
    for name, policy in terms.items():
        api("PUT", f"/policies/{name}", policy)
        api("PUT", f"/offers/{name}", {"policy": name, "kids": list(kids)})


def sell(account, offer, devices="0"):
    token = api("POST", "/accounts", {"name": account, "scopes": []})["token"]
    api("POST", "/grants", {"account": account, "offer": offer, "devices": int(devices), "reference": f"order {uuid.uuid4()}"})
    print(token)


def token(key, account, order):
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 30 * 86400))
    claims = {"iss": "shop", "aud": "licenses", "sub": account, "exp": int(time.time()) + 3600,
              "grants": [{"offer": "subscribe", "reference": order, "until": end}]}
    signed = ".".join(text(json.dumps(part).encode()) for part in ({"alg": "EdDSA", "kid": "1"}, claims))
    with tempfile.NamedTemporaryFile() as message:
        message.write(signed.encode())
        message.flush()
        print(signed + "." + text(openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", message.name)))


def keys(key):
    public = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")[-32:]
    print(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": text(public)}]}))


def free(account, device):
    print(api("POST", f"/accounts/{account}/devices/{device}/free")["licenses"])


commands = {"keys": keys, "open": open_shop, "sell": sell, "token": token, "free": free}
commands[sys.argv[1]](*sys.argv[2:])
