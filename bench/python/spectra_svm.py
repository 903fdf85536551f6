"""A support vector machine of scikit-learn on single pixels' spectra, for bench/recipes/field-map.ts.

Reads {"train": spectra, "classes": of those, "all": spectra} from standard input. Width and penalty are chosen by five-fold
cross-validation on the training pixels. Prints {"classes": of all spectra}.
"""

import json
import sys

import numpy
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

given = json.load(sys.stdin)
folds = StratifiedKFold(5, shuffle=True, random_state=1)
grid = {"C": [10, 100, 1000, 10000], "gamma": [0.0003, 0.001, 0.003, 0.01]}
search = GridSearchCV(SVC(), grid, cv=folds).fit(numpy.array(given["train"]), given["classes"])
print(json.dumps({"classes": search.predict(numpy.array(given["all"])).tolist()}))
