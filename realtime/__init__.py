"""The fast tier: serve one short text inside its deadline, or hand it to batch.

It also holds the engines: how they are launched, and the embedded one that stands in
for vLLM where there is no GPU. The batch tier talks to its engines through plumbing
alone and never imports this package.
"""
