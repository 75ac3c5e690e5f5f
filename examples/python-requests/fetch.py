import sys
import requests

answer = requests.get(sys.argv[1], timeout=10)  # no cert=, no verify=
answer.raise_for_status()
print(answer.text)
