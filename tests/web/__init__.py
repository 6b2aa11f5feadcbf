"""The pages in a browser, the JavaScript client, and what the gateway serves of both."""
